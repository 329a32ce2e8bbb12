"""How large values of 0 and more are: the value at any share of them, within 1 %, in kilobytes however many there are.

The bytes are those of sketches/log_histogram.py, so they and all that is read from them depend on the values alone, not
on their order or on the parts in which they came. KLL sketches of doubles, as Apache DataSketches writes them and
headrace did up to version 0.3.0, are merged too: each value that is left of them counts for as many as it stands for.
Bytes that are no whole sketch are refused.
"""

import math
import struct
from collections.abc import Iterable
from fractions import Fraction
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from sketches import log_histogram
from sketches.log_histogram import NotALogHistogram

AT_ONCE = 256
"""So many sketches are merged in one step."""

_HEADER = struct.Struct("<BBBBHB")  # ints of the preamble, version, family, flags, k, least size of a level
_EMPTY, _SINGLE = 1, 4  # flags; of a sketch of one value that value follows behind 8 bytes
_COUNTS = struct.Struct("<QHB")  # bytes 8 to 19: values that went in, smallest k of all merged, levels
_LEVELS = 20  # where each level begins, 4 bytes a level; then minimum, maximum and the values that are left
_FAMILY = 15
_PREAMBLES = (2, 5)
"""The first byte of a KLL sketch; that of a histogram is its version, which is none of them."""


class NotAQuantileSketch(ValueError):
    """The bytes are neither one whole histogram nor one whole KLL sketch of doubles."""


class QuantileSketch:
    """A sketch of values of 0 and more, to which zeros need not be given."""

    def __init__(self, histogram: bytes | None = None) -> None:
        self._histogram = histogram

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in these values, none of them NaN."""
        added = log_histogram.histogram_counts(values, np.ones(len(values), np.int64))
        self._histogram = _merge([self._histogram, added])

    def quantile(self, share: float, count: int) -> float:
        """Within 1 %, the smallest value that at least `share` (above 0, up to 1) of `count` values do not exceed.

        The `count` values are those in the sketch, and zeros for the rest.
        """
        held = log_histogram.count_values(self._histogram)
        total = max(count, held)
        rank = math.ceil(Fraction(str(share)) * total) - (total - held)
        if rank <= 0:
            return 0.0
        [values] = log_histogram.quantiles([self._histogram], [Fraction(rank, held)])
        return float(values[0])

    def to_bytes(self) -> bytes | None:
        """The sketch as `merge` takes it; None if it holds no value."""
        return self._histogram


def merge(sketches: Iterable[bytes]) -> QuantileSketch:
    """The sketch of all values that went into any of these. Raises NotAQuantileSketch for other bytes."""
    merged: bytes | None = None
    histograms = (_histogram(sketch) for sketch in sketches)
    try:
        while block := list(islice(histograms, AT_ONCE)):
            merged = _merge([merged, *block])
    except NotALogHistogram as error:
        raise NotAQuantileSketch(str(error)) from None
    return QuantileSketch(merged)


def _merge(histograms: list[bytes | None]) -> bytes | None:
    return log_histogram.merge_groups(histograms, np.zeros(1, np.int64))[0]


def _histogram(sketch: bytes) -> bytes | None:
    """The bytes of a histogram; those of a KLL sketch as a histogram."""
    if not sketch or sketch[0] not in _PREAMBLES:
        return sketch
    levels = _levels(sketch)
    if levels is None:
        raise NotAQuantileSketch(f"{len(sketch)} bytes that are not a whole KLL sketch of doubles")
    if not levels:
        return None
    values = np.frombuffer(sketch, "<f8", sum(levels), len(sketch) - 8 * sum(levels))
    weights = np.repeat(np.int64(1) << np.arange(len(levels)), levels)
    return log_histogram.histogram_counts(values, weights)


def _levels(sketch: bytes) -> list[int] | None:
    """How many values a KLL sketch has in each level, those of level n standing for 2**n each; None unless the levels
    hold as many values as the sketch says, and the bytes as many as the levels.
    """
    if len(sketch) < 8:
        return None
    ints, version, family, flags, k, least = _HEADER.unpack_from(sketch)
    if family != _FAMILY or k < 8 or least != 8:
        return None
    if flags & (_EMPTY | _SINGLE):
        is_whole = (ints, version, len(sketch)) == ((2, 1, 8) if flags & _EMPTY else (2, 2, 16))
        return ([] if flags & _EMPTY else [1]) if is_whole else None
    if (ints, version) != (5, 1) or len(sketch) < _LEVELS:
        return None
    count, _, levels = _COUNTS.unpack_from(sketch, 8)
    if not 1 <= levels <= 61 or len(sketch) < _LEVELS + 4 * levels:
        return None
    starts = [*struct.unpack_from(f"<{levels}I", sketch, _LEVELS), _room(k, least, levels)]
    sizes = [after - start for start, after in pairwise(starts)]
    weight = sum(size << level for level, size in enumerate(sizes))
    length = _LEVELS + 4 * levels + 16 + 8 * sum(sizes)
    return sizes if min(sizes) >= 0 and weight == count and len(sketch) == length else None


def _room(k: int, least: int, levels: int) -> int:
    """Values for which a sketch of so many levels has room: each level two thirds of the one above it, rounded."""
    return sum(max(least, ((2 * k << depth) // 3**depth + 1) // 2) for depth in range(levels))
