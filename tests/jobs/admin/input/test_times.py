"""Times of records: the units of numbers, and what is too absurd to be guessed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.admin.input.times import Unit, microseconds

SEVENTY_EIGHT, EIGHTY, LAST, HUNDRED = 252460800, 315532800, 4102444799, 4102444800
"""Seconds at the beginning of 1978 and 1980, at the end of 2099, and at the beginning of 2100."""


@pytest.mark.parametrize(
    ("field", "microsecond"),
    [
        (0, 0),
        ("0", 0),
        (EIGHTY, EIGHTY * 10**6),
        (LAST, LAST * 10**6),
        (EIGHTY * 1000, EIGHTY * 10**6),
        (LAST * 1000, LAST * 10**6),
        (1357012800.5, 1357012800_500_000),
        ("1357012800.123456", 1357012800_123_456),
        ("1357012800123.4567", 1357012800_123_457),
        ("1.3570128e9", 1357012800_000_000),
        ("2013-01-01T05:00:00.000001+01:00", 1357012800_000_001),
        ("1900-01-01T00:00:00Z", -2208988800_000_000),
    ],
)
def test_times_without_a_unit(field: object, microsecond: int) -> None:
    assert microseconds(field) == microsecond


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (-1, "--timestamp-unit"),
        (1, "--timestamp-unit"),
        (20130101, "--timestamp-unit"),
        (SEVENTY_EIGHT, "--timestamp-unit"),
        (HUNDRED, "--timestamp-unit"),
        (99_999_999_999, "--timestamp-unit"),
        (SEVENTY_EIGHT * 1000, "--timestamp-unit"),
        (HUNDRED * 1000, "--timestamp-unit"),
        (1357012800 * 10**6, "--timestamp-unit microseconds"),
        ("1357012800000000000", "--timestamp-unit nanoseconds"),
        ("1e999", "--timestamp-unit"),
        ("1e9999", "ISO-8601"),
        ("1_357_012_800", "ISO-8601"),
        (" 1357012800", "ISO-8601"),
        ("nan", "ISO-8601"),
        (None, "ISO-8601"),
        (True, "ISO-8601"),
        ([1357012800], "ISO-8601"),
        ("2013-01-01T05:00:00", "zone"),
        ("2013-01-01", "zone"),
    ],
)
def test_times_that_are_refused(field: object, said: str) -> None:
    with pytest.raises(ValueError) as error:
        microseconds(field)
    assert said in str(error.value)


UNITS = {Unit.SECONDS: 10**6, Unit.MILLISECONDS: 10**3, Unit.MICROSECONDS: 1}


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(Unit))
def test_a_unit_is_believed_and_no_digit_lost(moment: datetime, unit: Unit) -> None:
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    if unit is Unit.NANOSECONDS:
        assert microseconds(f"{expected}000", unit) == expected
    else:
        sign, digits = "-" * (expected < 0), abs(expected)
        whole, rest = divmod(digits, UNITS[unit])
        assert microseconds(f"{sign}{whole}.{rest:0{len(str(UNITS[unit])) - 1}d}", unit) == expected


@pytest.mark.parametrize("field", [10**18, -(10**18), "1e300"])
def test_a_time_beyond_the_calendar_is_refused(field: object) -> None:
    with pytest.raises(ValueError, match="calendar"):
        microseconds(field, Unit.SECONDS)
