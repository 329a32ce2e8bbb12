"""Logarithmic histograms of numbers: the value at any share of them, within 1 %, in kilobytes however many there are.

Bins are those of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error
guarantees", PVLDB 12(12), 2019): bin i holds the magnitudes in (GAMMA**(i - 1), GAMMA**i], and each of them is reported
as 2 * GAMMA**i / (GAMMA + 1), which is wrong by at most (GAMMA - 1) / (GAMMA + 1): 0.9999 % of the value. Negative
numbers have bins of their own, the mirror of these. Bins are never merged to save room: there are 70,000 of each sign
for all doubles, and values that differ by a factor of ten at most fill no more than 117.

A histogram is nothing but counts, so its bytes depend on the values alone: not on their order, nor on how they were cut
into parts and merged, nor on the machine. The bin is found by comparing with bounds that each machine computes alike,
as the logarithm of its mathematics library may differ in the last digit.

Magnitudes below 1e-300 count as zero, which has a bin of its own and is reported exactly. The largest is that of a
double, 1.8e308. Infinite values and NaN have bins beyond all numbers, NaN above the infinite as in Spark; they are
reported as they are.

The bytes: version, bytes of a count, then pairs of bin (32 bits, signed) and count in order of the bins, all
little-endian. Bin i is written as i + 34,542, that of zero as 0, and those of negative numbers with a minus. None is
the histogram of no values.
"""

from collections.abc import Sequence
from decimal import Context, Decimal
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
Numbers = NDArray[np.int64]

GAMMA = Decimal("1.0202")
"""From the end of a bin to the end of the next, as a factor."""
VERSION = 1
_LEAST = 1e-300
_FIRST, _LAST = -34_541, 35_492
"""The exponents of GAMMA at the end of the bin that holds _LEAST, and of the one that holds the largest double."""
_INFINITE = _LAST - _FIRST + 2
"""Bins of positive numbers are 1 up to one less than this: the bin of infinite values. The next is that of NaN."""
_SPAN = 2**18
"""More than there are bins of both signs."""
_DIGITS = Context(prec=40)
_PAIRS = {width: np.dtype([("bin", "<i4"), ("count", f"<u{width}")]) for width in (1, 2, 4, 8)}
"""How a bin and its count are written, by the bytes of a count: the fewest that hold each count of a histogram."""


class NotALogHistogram(ValueError):
    """The bytes are not a whole logarithmic histogram of a version that this module reads."""


def histogram_groups(values: Doubles, groups: Numbers, count: int) -> list[bytes | None]:
    """The histogram of each of `count` groups. `groups`: for each value the number of its group, from 0."""
    codes = np.sort(groups * _SPAN + _bins(values))
    begins = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.empty(0, np.int64)
    return _encode(codes[begins], np.diff(begins, append=len(codes)), count)


def histogram_counts(values: Doubles, counts: Numbers) -> bytes | None:
    """The histogram of values that count for so many each."""
    bins, places = np.unique(_bins(values), return_inverse=True)
    sums = np.zeros(len(bins), np.int64)
    np.add.at(sums, places, counts)
    return _encode(bins, sums, 1)[0]


def count_values(histogram: bytes | None) -> int:
    """How many values are in it. Raises NotALogHistogram."""
    return int(_decode([histogram])[1].sum())


def merge_groups(histograms: Sequence[bytes | None], starts: Numbers) -> list[bytes | None]:
    """The histograms of each group in one. The groups, none of them empty, begin at `starts`.

    Raises NotALogHistogram.
    """
    codes, counts = _decode(histograms)
    group_of = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(histograms)))
    codes += (group_of[codes // _SPAN] - codes // _SPAN) * _SPAN
    order = np.argsort(codes, kind="stable")
    codes, counts = codes[order], counts[order]
    begins = np.flatnonzero(np.append(True, codes[1:] != codes[:-1])) if len(codes) else np.empty(0, np.int64)
    return _encode(codes[begins], np.add.reduceat(counts, begins) if len(begins) else counts, len(starts))


def quantiles(histograms: Sequence[bytes | None], shares: Sequence[Fraction]) -> list[Doubles]:
    """For each share (above 0, up to 1) the quantile of each histogram, as a double; NaN where there is no value.

    That is, within 1 %, the smallest value that at least `share` of the values do not exceed: `percentile_disc` of SQL.
    Of 20 values in order, the quantile of a half is the tenth. Raises NotALogHistogram.
    """
    codes, counts = _decode(histograms)
    groups = codes // _SPAN
    ends = np.cumsum(counts)
    lasts = np.searchsorted(groups, np.arange(len(histograms)), side="right")
    totals_before = np.append(0, ends)[np.append(0, lasts)]
    before, totals = totals_before[:-1], np.diff(totals_before)
    found = []
    for share in shares:
        ranks = -(-totals * share.numerator // share.denominator)
        places = np.searchsorted(ends, before + ranks)
        values = np.full(len(histograms), np.nan)
        filled = totals > 0
        values[filled] = _values(codes[places[filled]] % _SPAN - _SPAN // 2)
        found.append(values)
    return found


@lru_cache(maxsize=1)
def _bounds() -> Doubles:
    """Where each bin of positive numbers ends, from _FIRST on, then infinity. Each is the product of two doubles that
    are rounded from exact powers, so they are alike on each machine.
    """
    steps = 256
    fine = np.array([float(_DIGITS.power(GAMMA, exponent)) for exponent in range(steps)])
    coarse = np.array([float(_DIGITS.power(GAMMA, exponent)) for exponent in range(_FIRST, _LAST + 1, steps)])
    with np.errstate(over="ignore"):
        bounds = np.multiply.outer(coarse, fine).ravel()[: _LAST - _FIRST + 1]
    bounds[-1] = np.finfo(np.float64).max
    return np.append(bounds, np.inf)


def _bins(values: Doubles) -> Numbers:
    """The bin of each value, and half of _SPAN, so that it is positive; bins are in order of the values."""
    magnitudes = np.abs(values)
    bins = np.searchsorted(_bounds(), magnitudes) + 1
    bins[magnitudes < _LEAST] = 0
    bins[values < 0] *= -1
    return bins + _SPAN // 2


@lru_cache(maxsize=1)
def _bin_values() -> Doubles:
    """The value that is reported for each bin from 0 to that of NaN."""
    bounds, gamma = _bounds(), float(GAMMA)
    with np.errstate(over="ignore"):
        middles = np.minimum(bounds[:-1] * (2 / (gamma + 1)), np.finfo(np.float64).max)
    return np.concatenate([[0.0], middles, [np.inf, np.nan]])


def _values(bins: Numbers) -> Doubles:
    return np.where(bins < 0, -1.0, 1.0) * _bin_values()[np.abs(bins)]


def _encode(codes: Numbers, counts: Numbers, groups: int) -> list[bytes | None]:
    """The histograms of the groups. A code is a group's number times _SPAN, and a bin as _bins gives it; in order."""
    found: list[bytes | None] = [None] * groups
    if not len(codes):
        return found
    group = codes // _SPAN
    begins = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    lengths = np.diff(begins, append=len(codes))
    most = np.maximum.reduceat(counts, begins)
    widths = np.select([most < 2**8, most < 2**16, most < 2**32], [1, 2, 4], 8)
    bins = codes % _SPAN - _SPAN // 2
    for width, pair in _PAIRS.items():
        chosen = widths == width
        rows = np.repeat(chosen, lengths)
        pairs = np.empty(np.count_nonzero(rows), pair)
        pairs["bin"], pairs["count"] = bins[rows], counts[rows]
        written, head = pairs.tobytes(), bytes([VERSION, width])
        ends = (np.cumsum(lengths[chosen]) * pair.itemsize).tolist()
        for number, begin, end in zip(group[begins[chosen]].tolist(), [0, *ends], ends, strict=False):
            found[number] = head + written[begin:end]
    return found


def _decode(histograms: Sequence[bytes | None]) -> tuple[Numbers, Numbers]:
    """Codes, as _encode takes them, and counts; the number of a histogram is that of its group."""
    heads = [None if histogram is None else histogram[:2] for histogram in histograms]
    parts, known = [], heads.count(None)
    for width, pair in _PAIRS.items():
        head = bytes([VERSION, width])
        alike = [number for number, found in enumerate(heads) if found == head]
        known += len(alike)
        bodies = [histograms[number][2:] for number in alike]  # type: ignore[index]
        lengths = np.array([len(body) for body in bodies], np.int64)
        if (lengths % pair.itemsize != 0).any() or not lengths.all():
            raise NotALogHistogram("bytes that were cut, or lengthened: no whole logarithmic histogram")
        pairs = np.frombuffer(b"".join(bodies), pair)
        numbers = np.repeat(np.array(alike, np.int64), lengths // pair.itemsize)
        parts.append((numbers, pairs["bin"].astype(np.int64), pairs["count"].astype(np.int64)))
    if known < len(histograms):
        raise NotALogHistogram(f"bytes that are no logarithmic histogram of version {VERSION}")
    numbers, bins, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(numbers, kind="stable")
    codes, counts = numbers[order] * _SPAN + bins[order] + _SPAN // 2, counts[order]
    if (np.abs(bins) > _INFINITE + 1).any() or (np.diff(codes) <= 0).any() or (counts < 1).any():
        raise NotALogHistogram("a damaged logarithmic histogram: its bins are not in order, or empty")
    return codes, counts
