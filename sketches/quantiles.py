"""KLL sketches of how large values are: the value at any share of them, in kilobytes however many there are.

Normalised rank error about 1.3 % for one quantile, at 99 % confidence (Karnin, Lang & Liberty, "Optimal quantile
approximation in streams", FOCS 2016). The bytes are those of Apache DataSketches. Bytes that are no whole sketch are
refused before the library sees them: it trusts the counts in its input, and a damaged one would end the process.
"""

import struct
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from datasketches import kll_doubles_sketch
from numpy.typing import NDArray

_HEADER = struct.Struct("<BBBBHB")  # ints of the preamble, version, family, flags, k, least size of a level
_EMPTY, _SINGLE = 1, 4  # flags; of a sketch of one value that value follows behind 8 bytes
_COUNTS = struct.Struct("<QHB")  # bytes 8 to 19: values that went in, smallest k of all merged, levels
_LEVELS = 20  # where each level begins, 4 bytes a level; then minimum, maximum and the values that are left
_FAMILY = 15


class NotAQuantileSketch(ValueError):
    """The bytes are not one whole KLL sketch of doubles."""


class QuantileSketch:
    """A sketch of values of 0 and more, to which zeros need not be given."""

    def __init__(self) -> None:
        self._sketch = kll_doubles_sketch()

    def add(self, values: NDArray[np.float64]) -> None:
        """Take in these values, none of them NaN."""
        self._sketch.update(values)

    def quantile(self, share: float, count: int) -> float:
        """The value than which `share` (above 0, up to 1) of `count` values are smaller.

        The `count` values are those in the sketch, and zeros for the rest.
        """
        below = share * count - (count - self._sketch.n)
        return 0.0 if below <= 0 else float(self._sketch.get_quantile(min(1.0, below / self._sketch.n)))

    def maximum(self) -> float:
        """The largest value, exactly; 0 if there is none."""
        return 0.0 if self._sketch.is_empty() else float(self._sketch.get_max_value())

    def to_bytes(self) -> bytes | None:
        """The sketch as `merge` takes it; None if it holds no value."""
        return None if self._sketch.is_empty() else bytes(self._sketch.serialize())


def merge(sketches: Iterable[bytes]) -> QuantileSketch:
    """The sketch of all values that went into any of these. Raises NotAQuantileSketch for other bytes."""
    union = QuantileSketch()
    for sketch in sketches:
        if not _is_whole(sketch):
            raise NotAQuantileSketch(f"{len(sketch)} bytes that are not a whole KLL sketch of doubles")
        union._sketch.merge(kll_doubles_sketch.deserialize(sketch))
    return union


def _is_whole(sketch: bytes) -> bool:
    """Whether the levels hold as many values as the sketch says, and the bytes as many as the levels."""
    if len(sketch) < 8:
        return False
    ints, version, family, flags, k, least = _HEADER.unpack_from(sketch)
    if family != _FAMILY or k < 8 or least != 8:
        return False
    if flags & (_EMPTY | _SINGLE):
        return (ints, version, len(sketch)) == ((2, 1, 8) if flags & _EMPTY else (2, 2, 16))
    if (ints, version) != (5, 1) or len(sketch) < _LEVELS:
        return False
    count, _, levels = _COUNTS.unpack_from(sketch, 8)
    if not 1 <= levels <= 61 or len(sketch) < _LEVELS + 4 * levels:
        return False
    starts = [*struct.unpack_from(f"<{levels}I", sketch, _LEVELS), _room(k, least, levels)]
    sizes = [after - start for start, after in pairwise(starts)]
    weight = sum(size << level for level, size in enumerate(sizes))
    return bool(min(sizes) >= 0 and weight == count and len(sketch) == _LEVELS + 4 * levels + 16 + 8 * sum(sizes))


def _room(k: int, least: int, levels: int) -> int:
    """Values for which a sketch of so many levels has room: each level two thirds of the one above it, rounded."""
    return sum(max(least, ((2 * k << depth) // 3**depth + 1) // 2) for depth in range(levels))
