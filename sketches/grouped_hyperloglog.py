"""HyperLogLog sketches of many groups at once: the same bytes as from `hyperloglog`, in two thirds of the time.

A small sketch is nothing but the coupons of its values. Up to 7 are a list in the order in which they came: numpy
writes the lists of all groups together. Up to 24 are a set: the library lays it out in one call. (The eighth coupon
turns a list into a set; the twenty-fifth makes the set larger, and its layout depends on how it grew.)
"""

import struct
from collections.abc import Collection, Sequence
from itertools import compress

import numpy as np
from datasketches import hll_sketch
from numpy.typing import NDArray

from sketches import hyperloglog

Numbers = NDArray[np.int64]
Coupons = NDArray[np.uint32]

_LIST, _SET = 7, 24
"""The most coupons in a list, and in a set that has not grown."""
_LEAST_LG_K = 8
"""Smaller sketches have no sets."""
_BYTES = 40
"""Of a list: two numbers of 32 bits of which each byte has its meaning, 7 coupons, and a free place."""
_LIST_OF_COUPONS = 8 << 24 | 3
"""The second number: mode in the highest byte, then the number of coupons, flags, and log2 of the places."""
_EMPTY_FLAG, _COUNT_UNIT = 4 << 8, 1 << 16


def sketch_groups(values: Sequence[str | int], rows: Numbers, starts: Numbers, lg_k: int) -> list[bytes]:
    """A sketch of size `lg_k` for each group, as `hyperloglog.sketch_of` of its records.

    `values`: the different values. `rows`: for each record the row of its value in `values`, or -1 for null, which is
    none; records of a group lie side by side, and the groups, none of them empty, begin at `starts`.
    """
    lengths = np.diff(starts, append=len(rows))
    small = lengths <= (_SET if lg_k >= _LEAST_LG_K else _LIST)
    coupons = np.append(_coupons(values, lg_k), np.uint32(0))  # the last one is that of -1
    found = np.empty(len(starts), object)
    found[small] = _small_sketches(coupons[rows[np.repeat(small, lengths)]], lengths[small], lg_k)
    named = [*values, None]
    for group in np.flatnonzero(~small).tolist():
        different = dict.fromkeys(rows[starts[group] : starts[group] + lengths[group]].tolist())
        found[group] = hyperloglog.sketch_of([named[row] for row in different], lg_k)
    return found.tolist()


def merge_groups(sketches: Sequence[bytes | None], starts: Numbers) -> list[bytes | None]:
    """The sketches of each group in one, as `hyperloglog.merge` gives it, not thoroughly.

    The groups, none of them empty, begin at `starts`. None is the sketch of nothing; one sketch alone is given back as
    it is. Raises UnlikeSketches and NotASketch.
    """
    if not len(starts):
        return []
    lengths = np.diff(starts, append=len(sketches))
    coupons, counts, lg_k = _coupons_of_lists(sketches)
    totals = np.add.reduceat(counts, starts)
    small = (lengths > 1) & (totals <= (_SET if lg_k >= _LEAST_LG_K else _LIST))
    inside = coupons[np.repeat(small, lengths)]
    found = np.empty(len(starts), object)
    found[small] = _small_sketches(inside[inside != 0], totals[small], lg_k)
    large = ~small
    for group, start, length in zip(np.flatnonzero(large).tolist(), starts[large].tolist(), lengths[large].tolist(),
                                    strict=True):  # fmt: skip
        present = [sketch for sketch in sketches[start : start + length] if sketch is not None]
        if present:
            found[group] = present[0] if len(present) == 1 else hyperloglog.merge(present, thoroughly=False)
    return found.tolist()


def sketches_and_estimates(sketches: Sequence[bytes]) -> tuple[list[bytes], list[float]]:
    """Each sketch without the running estimate of a single stream, as `hyperloglog.merge` gives it alone, not
    thoroughly; and how many distinct values went into each, as `hyperloglog.estimate`. Raises NotASketch.

    A list has no running estimate, and what it gives follows from the number of its coupons.
    """
    merged, estimates = list(sketches), np.zeros(len(sketches))
    _, counts, _ = _coupons_of_lists(sketches)
    for count in range(_LIST + 1):
        rows = np.flatnonzero(counts == count)
        if len(rows):
            estimates[rows] = hyperloglog.estimate(sketches[rows[0]], thoroughly=False)
    for row in np.flatnonzero(counts > _LIST).tolist():
        merged[row] = hyperloglog.merge([sketches[row]], thoroughly=False)
        estimates[row] = hyperloglog.estimate(merged[row], thoroughly=False)
    return merged, estimates.tolist()


def _coupons(values: Sequence[str | int], lg_k: int) -> Coupons:
    """The coupon of each value: those of seven values are read from one sketch."""
    found = []
    for start in range(0, len(values), _LIST):
        seven = values[start : start + _LIST]
        sketch = hyperloglog.sketch_of(seven, lg_k)
        if sketch[6] < len(seven):  # two of them have the same coupon
            found += [hyperloglog.sketch_of([value], lg_k)[8:12] for value in seven]
        else:
            found.append(sketch[8 : 8 + 4 * len(seven)])
    return np.frombuffer(b"".join(found), "<u4").astype(np.uint32)


def _coupons_of_lists(sketches: Sequence[bytes | None]) -> tuple[Coupons, Numbers, int]:
    """Of each sketch a row of its coupons and their number, or a number larger than _SET if it is no list; and the lg_k
    of the lists.
    """
    sizes = np.array([-1 if sketch is None else len(sketch) for sketch in sketches])
    has_size = sizes == _BYTES
    words = np.frombuffer(b"".join(compress(sketches, has_size)), "<u4").reshape(-1, _BYTES // 4)  # type: ignore[arg-type]
    held = np.count_nonzero(words[:, 2:], axis=1)
    lg_k = int(words[0, 0]) >> 24 if len(words) else 0
    are_lists = (words[:, 0] == _first(lg_k)) & (words[:, 1] == _second(held)) & (words[:, -1] == 0)
    coupons, counts = np.zeros((len(sketches), _LIST), np.uint32), np.full(len(sketches), _SET + 1)
    rows = np.flatnonzero(has_size)[are_lists]
    coupons[rows], counts[rows] = words[are_lists, 2:-1], held[are_lists]
    return coupons, counts, lg_k


def _small_sketches(coupons: Coupons, lengths: Numbers, lg_k: int) -> np.ndarray:
    """Sketches of the coupons of each group, up to _SET; 0 is no coupon, and one that comes again is no more."""
    found = np.empty(len(lengths), object)
    short = lengths <= _LIST
    found[short] = _lists(coupons[np.repeat(short, lengths)], lengths[short], lg_k)
    others = coupons[np.repeat(~short, lengths)].tolist()
    ends = np.cumsum(lengths[~short]).tolist()
    for group, start, end in zip(np.flatnonzero(~short).tolist(), [0, *ends], ends, strict=False):
        different = dict.fromkeys(others[start:end])
        different.pop(0, None)
        found[group] = _small_sketch(different, lg_k)
    return found


def _small_sketch(coupons: Collection[int], lg_k: int) -> bytes:
    if len(coupons) > _LIST:
        compact = struct.pack(f"<8BI{len(coupons)}I", 3, 1, 7, lg_k, 5, 8, 0, 9, len(coupons), *coupons)
        return bytes(hll_sketch.deserialize(compact).serialize_updatable())
    second = _LIST_OF_COUPONS + len(coupons) * _COUNT_UNIT + (not coupons) * _EMPTY_FLAG
    return struct.pack(f"<II{len(coupons)}I", _first(lg_k), second, *coupons).ljust(_BYTES, b"\0")


def _lists(coupons: Coupons, lengths: Numbers, lg_k: int) -> list[bytes]:
    """Sketches of the coupons of each group, up to 7."""
    table = np.zeros((len(lengths), _LIST), np.uint32)
    table[np.arange(_LIST) < lengths[:, np.newaxis]] = coupons
    for later in range(1, _LIST):
        table[(table[:, :later] == table[:, later, np.newaxis]).any(axis=1), later] = 0
    has_gap = ((table[:, :-1] == 0) & (table[:, 1:] != 0)).any(axis=1)
    gaps = table[has_gap]
    table[has_gap] = np.take_along_axis(gaps, np.argsort(gaps == 0, axis=1, kind="stable"), axis=1)
    words = np.zeros((len(lengths), _BYTES // 4), "<u4")
    words[:, 0], words[:, 1], words[:, 2:-1] = _first(lg_k), _second(np.count_nonzero(table, axis=1)), table
    whole = words.tobytes()
    return [whole[start : start + _BYTES] for start in range(0, len(whole), _BYTES)]


def _first(lg_k: int) -> int:
    """The first number of a list: two numbers before the coupons, version 1, family 7, and the size."""
    return int.from_bytes(bytes([2, 1, 7, lg_k]), "little")


def _second(counts: Numbers) -> Numbers:
    """The second number of lists of so many coupons."""
    numbers: Numbers = _LIST_OF_COUPONS + counts * _COUNT_UNIT + (counts == 0) * _EMPTY_FLAG
    return numbers
