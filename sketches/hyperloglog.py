"""HyperLogLog sketches as Spark stores them (`hll_sketch_agg`, `hll_union_agg`), opened without a JVM.

The bytes are those of Apache DataSketches; a sketch of size lgK has 2**lgK registers. Small sets are kept as lists of
coupons (register number and value) and counted almost exactly. Bytes that are no whole sketch are refused before the
library sees them: it trusts the counts in its input, and a damaged one would end the process.
"""

import math
import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from datasketches import hll_sketch, hll_union, tgt_hll_type
from numpy.typing import NDArray

if TYPE_CHECKING:
    from datasketch import HyperLogLogPlusPlus

_LIST, _SET, _DENSE = 0, 1, 2  # the low two bits of the mode byte; the next two are the register type, HLL_4, 6 or 8
_PREAMBLE_INTS = {_LIST: 2, _SET: 3, _DENSE: 10}
_HLL_4, _HLL_6, _HLL_8 = 0, 1, 2
_EMPTY, _COMPACT, _OUT_OF_ORDER, _STALE = 4, 8, 16, 32  # the flag byte; stale: sums to be rebuilt from the registers
_SUMS = struct.Struct("<dddII")
"""Bytes 8 to 39: running estimate, sum of 2**-register in two parts, number of registers at the least value, number of
exceptions of HLL_4."""
_START = 40  # there the registers begin
_LEAST_BYTES = 12
_OWN_LIST = bytes([_PREAMBLE_INTS[_LIST], 1, 7, _HLL_8 << 2 | _LIST])
_OWN_SET = bytes([_PREAMBLE_INTS[_SET], 1, 7, _HLL_8 << 2 | _SET])
"""Bytes 0 to 2 and 7 of lists and sets that this project has written."""
_SPARE_EXCEPTIONS = (2, 2, 2, 3, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12, 13)  # room for them, lg, by lgK from 4

EMPTY_TEXT = "the empty text, for which the library has no room: 3f9c1e7ab25d4860"
"""What goes into a sketch in place of "", which DataSketches ignores. It counts as one value, like any other."""


class NotASketch(ValueError):
    """The bytes are not one whole HyperLogLog sketch."""


class UnlikeSketches(ValueError):
    """Sketches of different sizes do not merge without losing the precision of the larger."""


def sketch_of(values: Iterable[str | int | None], lg_k: int) -> bytes:
    """A sketch of size `lg_k` (4 to 21) of these values; null is none, and the empty text is one."""
    sketch = hll_sketch(lg_k, tgt_hll_type.HLL_8)
    for value in values:
        if value is not None:
            sketch.update(EMPTY_TEXT if value == "" else value)
    return bytes(sketch.serialize_updatable())


def merge(sketches: Iterable[bytes], thoroughly: bool = True) -> bytes:
    """The sketch of all values that went into any of these, at their size; Spark reads it as its own.

    It does not depend on how the values were spread over sketches, how often they were merged, or in which order: the
    estimate is that of the registers alone, never the running one that a sketch of a single stream has besides. Not
    `thoroughly` looks at lengths only, in a tenth of the time: for sketches that this project has written.
    Raises UnlikeSketches if the sizes differ, NotASketch for other bytes, ValueError if there is none to merge.
    """
    sketches = list(sketches)
    if len(sketches) == 1 and not thoroughly and _sparse_count(sketches[0]):
        return sketches[0]  # the union of one small sketch is a copy
    union: hll_union | None = None
    opens = _open if thoroughly else _open_trusting
    for sketch in sketches:
        opened = opens(sketch)
        if union is None:
            union = hll_union(opened.lg_config_k)
        if opened.lg_config_k != union.lg_config_k:
            raise UnlikeSketches(f"cannot merge a sketch of lgK {opened.lg_config_k} with lgK {union.lg_config_k}")
        union.update(opened)
    if union is None:
        raise ValueError("no sketches to merge: the size of the result is not known")
    merged = bytearray(union.get_result(tgt_hll_type.HLL_8).serialize_updatable())
    if merged[7] & 3 == _DENSE:
        merged[5] |= _OUT_OF_ORDER
        merged[8:16] = bytes(8)
    return bytes(merged)


def estimate(sketch: bytes, thoroughly: bool = True) -> float:
    """How many distinct values went in; as `hll_sketch_estimate`, but not rounded. Raises NotASketch.

    The relative standard error is `standard_error` of its size or less. `thoroughly` is that of `merge`.
    """
    if not thoroughly and (count := _sparse_count(sketch)):
        return _sparse_estimate(sketch[3], sketch[7] & 3, count)
    return float((_open if thoroughly else _open_trusting)(sketch).get_estimate())


def bounds(sketch: bytes, standard_deviations: int = 2) -> tuple[float, float]:
    """Lower and upper bound of the number of distinct values, at 1, 2 or 3 standard deviations (68, 95, 99.7 %).

    Raises NotASketch, and ValueError for another number of deviations.
    """
    if standard_deviations not in (1, 2, 3):
        raise ValueError(f"standard_deviations must be 1, 2 or 3, not {standard_deviations}")
    opened = _open(sketch)
    return float(opened.get_lower_bound(standard_deviations)), float(opened.get_upper_bound(standard_deviations))


def lg_k(sketch: bytes) -> int:
    """The size: base-2 logarithm of the number of registers, 4 to 21. Raises NotASketch."""
    return int(_open(sketch).lg_config_k)


def standard_error(lg_k: int) -> float:
    """Relative standard error of an estimate, as a fraction: 1.04 / sqrt(2**lg_k), 0.016 at 12.

    Flajolet, Fusy, Gandouet & Meunier, "HyperLogLog: the analysis of a near-optimal cardinality ...", AofA 2007.
    """
    return 1.04 / math.sqrt(2**lg_k)


def to_datasketch(sketch: bytes) -> "HyperLogLogPlusPlus":
    """The same registers as an object of datasketch, whose estimate is computed in another way (HLL++, EDBT 2013).

    It merges with others that come from here. It takes no values: datasketch hashes them differently, so that `update`
    raises TypeError. Raises NotASketch, and ValueError for a size outside 4 to 16, which datasketch cannot hold.
    """
    opened = _open(sketch)
    if opened.lg_config_k > 16:
        raise ValueError(f"datasketch holds sketches of lgK 4 to 16, not {opened.lg_config_k}")
    from datasketch import HyperLogLogPlusPlus  # it imports SciPy, which takes a second in each process

    return HyperLogLogPlusPlus(reg=_registers(opened), hashfunc=_no_hash)


def _no_hash(_: object) -> NoReturn:
    raise TypeError("a sketch of Spark's takes no values here: datasketch hashes them differently")


def _open(sketch: bytes) -> hll_sketch:
    """The sketch as the library's HLL_8, from bytes written anew after those given were checked. Raises NotASketch."""
    if not isinstance(sketch, bytes) or len(sketch) < 8:
        raise NotASketch("not a HyperLogLog sketch: fewer than 8 bytes, or none at all")
    ints, version, family, lg_k, lg_array, flags, _, mode = sketch[:8]
    lg_arrays = {_LIST: range(3, 4), _SET: range(5, lg_k - 2), _DENSE: range(lg_k + 1)}.get(mode & 3, range(0))
    sound = (version, family) == (1, 7) and 4 <= lg_k <= 21 and mode < 12 and lg_array in lg_arrays
    if not sound or ints != _PREAMBLE_INTS[mode & 3] or flags & ~(_EMPTY | _COMPACT | _OUT_OF_ORDER | _STALE):
        raise NotASketch(f"not a HyperLogLog sketch: it starts with {sketch[:8]!r}")
    opened = hll_sketch.deserialize(_dense(sketch) if mode & 3 == _DENSE else _sparse(sketch))
    running = opened.get_estimate()
    if mode & 3 == _DENSE and not flags & _OUT_OF_ORDER:  # then it is the running one: near that of the registers?
        plain = hll_sketch.deserialize(_dense(sketch, _OUT_OF_ORDER)).get_estimate()
        tolerance = 1 + 10 * standard_error(lg_k)
        if not plain / tolerance < running < plain * tolerance:
            raise NotASketch(f"a damaged HyperLogLog sketch: it gives {running}, its registers {plain}")
    return opened


def _open_trusting(sketch: bytes) -> hll_sketch:
    """The sketch, if it is as long as it says; what else is damaged gives wrong numbers, but does no harm."""
    if isinstance(sketch, bytes) and len(sketch) >= _LEAST_BYTES:
        mode, room = sketch[7] & 3, 2 ** sketch[4]
        if mode == _LIST:
            length, sound = 8 + 4 * (sketch[6] if sketch[5] & _COMPACT else room), sketch[6] < room == 8
        elif mode == _SET:
            count = int.from_bytes(sketch[8:12], "little")
            length, sound = 12 + 4 * (count if sketch[5] & _COMPACT else room), count <= room * 3 // 4
        else:
            length, sound = _START + 2 ** sketch[3], sketch[7] >> 2 == _HLL_8
        if sound and len(sketch) == length and 4 <= sketch[3] <= 21:
            return hll_sketch.deserialize(sketch)
    return _open(sketch)


def _sparse_count(sketch: bytes) -> int:
    """How many coupons there are in a list or set as `sketch_of` and `merge` write it; 0 for any other sketch."""
    if not isinstance(sketch, bytes) or len(sketch) < _LEAST_BYTES or sketch[5] or not 4 <= sketch[3] <= 21:
        return 0
    preamble = sketch[:3] + sketch[7:8]
    if preamble == _OWN_LIST:
        return sketch[6] if len(sketch) == 40 and sketch[4] == 3 and sketch[6] < 8 else 0
    if preamble == _OWN_SET and 5 <= sketch[4] <= 21 and len(sketch) == 12 + 4 * 2 ** sketch[4]:
        count = int.from_bytes(sketch[8:12], "little")
        return count if count <= 2 ** sketch[4] * 3 // 4 else 0
    return 0


@lru_cache(maxsize=65_536)
def _sparse_estimate(lg_k: int, mode: int, count: int) -> float:
    """The estimate of a list or set, which depends on nothing but the number of its coupons."""
    coupons = np.arange(count, dtype="<u4") + np.uint32(1 << 26)
    room = max(5, (count * 4 // 3).bit_length())  # at most three quarters of a set are taken
    lg_room, number = (3, b"") if mode == _LIST else (room, count.to_bytes(4, "little"))
    preamble = [_PREAMBLE_INTS[mode], 1, 7, lg_k, lg_room, _COMPACT, count if mode == _LIST else 0, _HLL_8 << 2 | mode]
    return float(hll_sketch.deserialize(bytes(preamble) + number + coupons.tobytes()).get_estimate())


def _sparse(sketch: bytes) -> bytes:
    """A list or set, checked, in the compact form."""
    flags, mode, start = sketch[5], sketch[7] & 3, 4 * _PREAMBLE_INTS[sketch[7] & 3]
    room = 2 ** sketch[4]
    most = room - 1 if mode == _LIST else room * 3 // 4  # beyond, it becomes a set, a larger set, or dense
    count = sketch[6] if mode == _LIST else int.from_bytes(sketch[8:12], "little")
    if len(sketch) != start + 4 * (count if flags & _COMPACT else room) or count > most:
        raise NotASketch(f"a HyperLogLog sketch that was cut, lengthened or damaged: {len(sketch)} bytes")
    coupons = _coupons(sketch)
    sound = len(np.unique(coupons)) == len(coupons) == count and bool((coupons >> np.uint32(26)).all())
    if not sound or bool(flags & _EMPTY) != (count == 0):
        raise NotASketch(f"a damaged HyperLogLog sketch: {count} coupons announced, {len(coupons)} found")
    preamble = bytearray(sketch[:start])
    preamble[5], preamble[7] = flags & _EMPTY | _COMPACT, _HLL_8 << 2 | mode
    return bytes(preamble) + coupons.astype("<u4").tobytes()


def _coupons(sketch: bytes) -> NDArray[np.uint32]:
    """The coupons of a list or a set: a register number in the low 26 bits, its value in the high 6."""
    slots = np.frombuffer(sketch, "<u4", offset=4 * _PREAMBLE_INTS[sketch[7] & 3]).astype(np.uint32)
    coupons: NDArray[np.uint32] = slots[slots != 0]
    return coupons


def _dense(sketch: bytes, more_flags: int = 0) -> bytes:
    """A sketch with all its registers, checked, as HLL_8: the sums before them must be those of the registers."""
    if len(sketch) < _START:
        raise NotASketch(f"a HyperLogLog sketch that was cut: {len(sketch)} bytes")
    running, low, high, at_least, exceptions = _SUMS.unpack_from(sketch, 8)
    registers, least = _dense_registers(sketch, exceptions), sketch[6]
    powers = np.exp2(-registers.astype(np.float64))
    sums = float(powers[registers < 32].sum()), float(powers[registers >= 32].sum())
    alike = registers.min() >= least and np.count_nonzero(registers == least) == at_least
    if registers.max() > 63 or not (sketch[5] & _STALE or (alike and math.isclose(low + high, sum(sums)))):
        raise NotASketch("a damaged HyperLogLog sketch: its registers do not give the sums before them")
    flags = sketch[5] & _OUT_OF_ORDER | more_flags
    preamble = bytes([10, 1, 7, sketch[3], 0, flags, 0, _HLL_8 << 2 | _DENSE])
    zeros = int(np.count_nonzero(registers == 0))
    return preamble + _SUMS.pack(0 if flags else running, *sums, zeros, 0) + registers.tobytes()


def _dense_registers(sketch: bytes, exceptions: int) -> NDArray[np.uint8]:
    """Registers of 8 bits, 6, or 4 above the least with exceptions (coupons behind them) for those that read 15."""
    kind, count = sketch[7] >> 2, 2 ** sketch[3]
    width = {_HLL_4: count // 2, _HLL_6: count * 3 // 4 + 1, _HLL_8: count}[kind]
    room = exceptions if sketch[5] & _COMPACT else 2 ** (sketch[4] if exceptions else _SPARE_EXCEPTIONS[sketch[3] - 4])
    if len(sketch) != _START + width + 4 * room * (kind == _HLL_4):
        raise NotASketch(f"a HyperLogLog sketch that was cut, lengthened or damaged: {len(sketch)} bytes")
    packed = np.frombuffer(sketch, np.uint8, width, _START)
    if kind == _HLL_8:
        return packed
    bits = np.unpackbits(packed, bitorder="little")[: count * (6 if kind == _HLL_6 else 4)]
    registers: NDArray[np.uint8] = np.packbits(bits.reshape(count, -1), axis=1, bitorder="little")[:, 0]
    if kind == _HLL_6:
        return registers
    coupons = np.frombuffer(sketch, "<u4", offset=_START + width)
    coupons = coupons[coupons != 0]
    slots = coupons & np.uint32(2**26 - 1)
    if len(coupons) != exceptions or not np.array_equal(np.sort(slots), np.flatnonzero(registers == 15)):
        raise NotASketch("a damaged HyperLogLog sketch: its exceptions do not fit its registers")
    registers += np.uint8(sketch[6])
    registers[slots] = coupons >> np.uint32(26)
    return registers


def _registers(opened: hll_sketch) -> NDArray[np.int8]:
    """The largest value seen of each of the 2**lgK registers."""
    sketch = opened.serialize_compact()
    if sketch[7] & 3 == _DENSE:
        return np.frombuffer(sketch, np.int8, offset=_START).copy()
    coupons, registers = _coupons(sketch), np.zeros(2**opened.lg_config_k, np.int8)
    slots = coupons & np.uint32(2**opened.lg_config_k - 1)
    np.maximum.at(registers, slots, (coupons >> np.uint32(26)).astype(np.int8))
    return registers
