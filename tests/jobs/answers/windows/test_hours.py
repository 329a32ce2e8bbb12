"""Hours of time zones are those of a clock that is looked at every half minute, and those worked out by hand."""

import itertools
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jobs.answers import windows
from jobs.answers.windows import CalendarDay, CalendarHour, Tumbling
from jobs.running.errors import Mistake
from tests.jobs.answers import zones

HOUR, HALF_MINUTE = 3600, 30


def second(written: str) -> int:
    return int(datetime.fromisoformat(written + "Z").timestamp())


CASES = {
    "half past of UTC": (
        "Asia/Kolkata",
        ["2024-05-01T00:30", "2024-05-01T01:30", "2024-05-01T02:30"],
    ),
    "3 o'clock back to 2: the hour from 2 to 3 twice": (
        "Europe/Berlin",
        ["2024-10-26T23:00", "2024-10-27T00:00", "2024-10-27T01:00", "2024-10-27T02:00"],
    ),
    "2 o'clock forward to 3: no hour from 2 to 3": (
        "Europe/Berlin",
        ["2024-03-30T23:00", "2024-03-31T00:00", "2024-03-31T01:00", "2024-03-31T02:00"],
    ),
    "2 o'clock back to half past 1": (
        "Australia/Lord_Howe",
        ["2023-04-01T13:00", "2023-04-01T14:00", "2023-04-01T15:00", "2023-04-01T15:30", "2023-04-01T16:30"],
    ),
    "2 o'clock forward to half past 2": (
        "Australia/Lord_Howe",
        ["2023-09-30T14:30", "2023-09-30T15:30", "2023-09-30T16:00", "2023-09-30T17:00"],
    ),
    "midnight forward to a quarter past": (
        "Asia/Kathmandu",
        ["1985-12-31T17:30", "1985-12-31T18:30", "1985-12-31T19:15", "1985-12-31T20:15"],
    ),
    "a minute after midnight back by an hour": (
        "America/St_Johns",
        ["2010-11-07T01:30", "2010-11-07T02:30", "2010-11-07T03:30", "2010-11-07T04:30"],
    ),
    "midnight forward by 44 minutes and 30 seconds": (
        "Africa/Monrovia",
        ["1972-01-06T23:44:30", "1972-01-07T00:44:30", "1972-01-07T01:00", "1972-01-07T02:00"],
    ),
    "a date is skipped": ("Pacific/Apia", ["2011-12-30T09:00", "2011-12-30T10:00", "2011-12-30T11:00"]),
    "the first hour of 1970": ("UTC", ["1970-01-01T00:00", "1970-01-01T01:00"]),
    "the last hour of a year": ("Asia/Kolkata", ["2024-12-31T23:30", "2025-01-01T00:30", "2025-01-01T01:30"]),
}
"""Where hours begin, one after the other, in UTC."""


@pytest.mark.parametrize("case", CASES)
def test_an_hour_begins_at_a_full_hour_of_the_clock(case: str) -> None:
    zone, written = CASES[case]
    window = CalendarHour(zone)
    for first, after in itertools.pairwise(map(second, written)):
        inside = np.array([first, first + 1, (first + after) // 2, after - 1])
        assert window.starts(inside).tolist() == [first] * 4
        assert window.first_starts(inside).tolist() == window.slots(inside).tolist() == [first] * 4
        assert window.ends(window.starts(inside)).tolist() == [after] * 4


def shown(zone: str, since: int, until: int) -> list[int]:
    """Where hours begin by the clock of the zone."""
    clock, found = ZoneInfo(zone), []
    for moment in range(since, until, HALF_MINUTE):
        before, now = (datetime.fromtimestamp(at, clock) for at in (moment - HALF_MINUTE, moment))
        ahead, was_ahead = now.utcoffset(), before.utcoffset()
        assert ahead is not None and was_ahead is not None
        by_a_part = (ahead - was_ahead).total_seconds() % HOUR != 0
        if (now.minute, now.second) == (0, 0) or by_a_part:
            found.append(moment)
    return found


def looked_at() -> list[tuple[str, int]]:
    """A change of each kind: of each minute of the hour at which clocks stand then, and length."""
    kinds: dict[tuple[int, int], tuple[str, int]] = {}
    for zone in zones.names():
        for change in zones.changes(zone):
            if change.second > 0:
                kinds.setdefault((change.before % HOUR, change.after - change.before), (zone, change.second))
    return list(kinds.values())


def test_hours_around_each_kind_of_change_are_those_that_the_clock_shows() -> None:
    changes = looked_at()
    assert len(changes) > 20
    for zone, change in changes:
        since = change // HALF_MINUTE * HALF_MINUTE - 3 * HOUR
        window, begins = CalendarHour(zone), shown(zone, since, since + 6 * HOUR)
        probes = np.arange(begins[0], begins[-1], HALF_MINUTE)
        starts = window.starts(probes)
        assert np.unique(starts).tolist() == begins[:-1], zone
        assert np.unique(window.ends(starts)).tolist() == begins[1:], zone
        assert ((starts <= probes) & (probes < window.ends(starts))).all(), zone


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("year", [1970, 2024, 2199, 2599, 2600, 9998])
def test_hours_follow_each_other_and_each_is_in_one_day(zone: str, year: int) -> None:
    moments = second(f"{year}-01-01T00:00") + np.arange(366 * 24 * 2) * HOUR // 2
    window, day = CalendarHour(zone), CalendarDay(zone)
    starts = np.unique(window.starts(moments))
    ends = window.ends(starts)
    assert np.array_equal(starts[1:], ends[:-1])
    assert set((ends - starts).tolist()) <= {HOUR, HOUR // 2}
    assert np.array_equal(day.starts(starts), day.starts(ends - 1))
    assert np.isin(day.starts(starts)[30:], starts).all()


def test_an_hour_that_is_shown_twice_makes_two_windows_of_one_day() -> None:
    day = CalendarDay("Europe/Berlin")
    noon = np.array([second("2024-10-27T12:00")])
    begins, ends = int(day.starts(noon)[0]), int(day.ends(day.starts(noon))[0])
    starts = CalendarHour("Europe/Berlin").starts(np.arange(begins, ends, 900))
    assert len(np.unique(starts)) == 25
    local = [datetime.fromtimestamp(start, ZoneInfo("Europe/Berlin")).hour for start in np.unique(starts).tolist()]
    assert local == [0, 1, 2, 2, *range(3, 24)]


def test_they_reach_as_far_as_they_are_long() -> None:
    some = (CalendarHour("Asia/Kolkata"), Tumbling("30 minutes"))
    inside = second("2024-05-01T00:45")
    assert datetime.fromtimestamp(windows.first_start(some, inside), UTC) == datetime(2024, 5, 1, 0, 30, tzinfo=UTC)
    assert datetime.fromtimestamp(windows.last_end(some, inside), UTC) == datetime(2024, 5, 1, 1, 30, tzinfo=UTC)
    assert CalendarHour("Asia/Kolkata").name == "hour Asia/Kolkata"


@pytest.mark.parametrize(
    ("zone", "longest_seconds", "begins"),
    [
        ("UTC", HOUR, "1970-01-01 01:00:00"),
        ("America/New_York", HOUR, "1970-01-01 01:00:00"),
        ("America/St_Johns", 1800, "1970-01-01 00:30:00"),
        ("Asia/Kolkata", 1800, "1970-01-01 00:30:00"),
        ("Asia/Kathmandu", 900, "1970-01-01 00:30:00"),  # by five hours and a half ahead of UTC then
    ],
)
def test_panes_that_do_not_fill_them_are_refused(zone: str, longest_seconds: int, begins: str) -> None:
    window = CalendarHour(zone)
    for divisor in (1, 3, 5):
        window.check(longest_seconds // divisor)
    with pytest.raises(Mistake) as refused:
        window.check(2 * HOUR)
    longest = {HOUR: "1 hour", 1800: "30 minutes", 900: "15 minutes"}[longest_seconds]
    assert (
        f"hour {zone}: an hour there begins at {begins} UTC, inside a pane of 2 hours. Take panes of {longest}, "
        in str(refused.value)
    )
    with pytest.raises(Mistake):
        window.check(2 * longest_seconds)
