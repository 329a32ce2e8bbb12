"""Logarithmic histograms against sorted values, and the same bytes however the values are cut and merged."""

import math
import struct
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sketches import log_histogram
from sketches.log_histogram import NotALogHistogram

SHARES = [Fraction(1, 1000), Fraction(1, 20), Fraction(1, 2), Fraction(7, 100), Fraction(95, 100), Fraction(1)]
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-50, 50).map(float)


def of(values: list[float]) -> bytes | None:
    [made] = log_histogram.histogram_groups(np.array(values, np.float64), np.zeros(len(values), np.int64), 1)
    return made


def merged(parts: list[bytes | None]) -> bytes | None:
    [made] = log_histogram.merge_groups(parts, np.array([0]))
    return made


def due(values: list[float], share: Fraction) -> float:
    return sorted(values)[max(1, math.ceil(share * len(values))) - 1]


def is_close(found: float, value: float) -> bool:
    return abs(found - value) <= 0.01 * abs(value) or (abs(value) < 1e-300 and found == 0)


@given(st.lists(numbers, min_size=1, max_size=60))
def test_each_quantile_is_within_a_hundredth(values: list[float]) -> None:
    for share, found in zip(SHARES, log_histogram.quantiles([of(values)], SHARES), strict=True):
        assert is_close(found[0], due(values, share)), (share, found[0])


@given(st.lists(numbers, max_size=40), st.lists(st.integers(0, 40), max_size=4), st.randoms())
def test_bytes_are_the_same_for_every_cut_and_order(values: list[float], cuts: list[int], dice: object) -> None:
    shuffled = list(values)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    ends = sorted(cuts)
    parts = [of(shuffled[a:b]) for a, b in zip([0, *ends], [*ends, 40], strict=True)]
    assert merged(parts) == of(values)
    assert merged([merged(parts[:2]), merged(parts[2:] or [None])]) == of(values)
    assert merged(parts[::-1]) == of(values)


def test_groups_are_kept_apart() -> None:
    dice = np.random.default_rng(3)
    values, groups = dice.normal(0, 1e6, 5_000).round(), np.sort(dice.integers(0, 60, 5_000))
    groups += groups >= 30  # group 30 has no value
    made = log_histogram.histogram_groups(values, groups, 62)
    alone = [of(values[groups == group].tolist()) for group in range(62)]
    assert made == alone
    assert made[30] is made[61] is None
    starts = np.array([0, 1, 7, 30, 31])
    ends = [*starts[1:].tolist(), 62]
    assert log_histogram.merge_groups(made, starts) == [
        merged(made[a:b]) for a, b in zip(starts.tolist(), ends, strict=True)
    ]
    [median] = log_histogram.quantiles(made, [Fraction(1, 2)])
    for group in range(62):
        mine = values[groups == group].tolist()
        assert is_close(median[group], due(mine, Fraction(1, 2))) if mine else math.isnan(median[group])


def test_a_bin_ends_at_a_power_of_gamma() -> None:
    """By 60 digits: a value lies in bin i if it is in (GAMMA**(i - 1), GAMMA**i]."""
    dice = np.random.default_rng(5)
    values = np.concatenate([10 ** dice.uniform(-299, 308, 300), dice.uniform(0.5, 2, 100), [1.0, 1e-300, 1.7e308]])
    for value in values.tolist():
        data = of([value])
        assert data is not None
        index = struct.unpack("<i", data[2:6])[0] - 34_542
        with localcontext(prec=60):
            assert log_histogram.GAMMA ** (index - 1) < Decimal(value) <= log_histogram.GAMMA**index


def test_zero_small_and_large_numbers_and_what_is_no_number() -> None:
    inf, nan, largest = math.inf, math.nan, 1.7976931348623157e308

    def told(value: float) -> float:
        [found] = log_histogram.quantiles([of([value])], [Fraction(1, 2)])
        return float(found[0])

    assert [str(told(value)) for value in (0.0, -0.0, 9e-301, -5e-324)] == ["0.0"] * 4
    for value in (1e-300, -1e-300, 1e-299, 1.0, -1.0, 1e300, largest, -largest):
        assert is_close(told(value), value) and told(value) != 0
    assert (told(inf), told(-inf)) == (inf, -inf)
    assert math.isnan(told(nan))
    ordered = of([nan, 3.0, -inf, inf, 0.0, -3.0])
    found = [float(one[0]) for one in log_histogram.quantiles([ordered], [Fraction(n, 6) for n in range(1, 7)])]
    assert found[0] == -inf and found[2] == 0 and found[4] == inf and math.isnan(found[5])
    assert found[1] == -found[3] == pytest.approx(-3, rel=0.01)


@pytest.mark.parametrize("times", [1, 255, 256, 65_535, 65_536])
def test_a_count_takes_as_few_bytes_as_hold_it(times: int) -> None:
    values = [5.0] * times + [-7.0, 0.0]
    data = of(values)
    assert data is not None
    width = 1 if times < 256 else 2 if times < 65_536 else 4
    assert data[:2] == bytes([1, width]) and len(data) == 2 + 3 * (4 + width)
    assert merged([of(values[:100]), of(values[100:])]) == data
    counts = [int.from_bytes(data[begin + 4 : begin + 4 + width], "little") for begin in range(2, len(data), 4 + width)]
    assert counts == [1, 1, times], "of -7, 0 and 5"


def test_counts_beyond_32_bits() -> None:
    data = bytes([1, 8]) + struct.pack("<iQiQ", -3, 2**40, 9, 2**40 + 1)
    doubled = merged([data, data])
    assert doubled == bytes([1, 8]) + struct.pack("<iQiQ", -3, 2**41, 9, 2**41 + 2)
    low, high = log_histogram.quantiles([doubled], [Fraction(499_999, 1_000_000), Fraction(1, 2)])
    assert low[0] < 0 < high[0]


def test_kilobytes_hold_many_values() -> None:
    values = np.random.default_rng(1).lognormal(3, 1, 200_000)
    data = of(values.tolist())
    assert data is not None and len(data) < 8_000
    bins = {math.ceil(math.log(value) / math.log(1.0202)) for value in values.tolist()}
    assert abs((len(data) - 2) / 6 - len(bins)) <= 1
    assert data[:2] == bytes([1, 2]), "version, and bytes of a count"


def test_other_bytes_are_refused() -> None:
    good = of([1.0, 2.0])
    assert good is not None
    pair = struct.Struct("<iB")
    for wrong in (
        b"",
        good[:1],
        good[:2],
        good[:-1],
        good + b"0",
        b"\2" + good[1:],
        b"\1\3" + good[2:],
        good[:2] + good[7:] + good[2:7],  # not in order
        good[:2] + good[2:7] * 2,
        b"\1\1" + pair.pack(5, 0),
        b"\1\1" + pair.pack(80_000, 1),
    ):
        with pytest.raises(NotALogHistogram):
            merged([good, wrong])
        with pytest.raises(NotALogHistogram):
            log_histogram.quantiles([None, wrong], SHARES)


def test_nothing() -> None:
    assert of([]) is merged([None, None]) is None
    assert log_histogram.merge_groups([], np.array([], np.int64)) == []
    assert [found.tolist() for found in log_histogram.quantiles([], SHARES)] == [[]] * len(SHARES)
    assert math.isnan(log_histogram.quantiles([None], SHARES)[0][0])
