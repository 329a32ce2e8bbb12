"""The algebra of columns of partial panes in memory: combined by key, and slid over by windows.

With numpy, because Spark's own aggregation spends some 100 CPU µs on each group that has a sketch, and explodes each
pane into every window that holds it. Here a window that hops costs as many steps as its depth has binary digits.
"""

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

_LARGEST = 2**62
_LARGER = 10**60
"""Larger than any decimal."""
EXACTLY = Context(prec=100)
"""Python's own context of decimals would round to 28 digits."""


class Combine(Protocol):
    """How two values make one, for many at once; each of numpy's binary functions is one, such as np.add."""

    def __call__(self, one: np.ndarray, other: np.ndarray, /) -> np.ndarray:
        """Each of `one` with the one at its place in `other`."""

    def reduceat(self, values: np.ndarray, starts: np.ndarray, /) -> np.ndarray:
        """One value for each group; a group begins at each of `starts`, and ends where the next one begins."""


@dataclass(frozen=True)
class Part:
    """A column of partial panes: its values in numpy, and how two of them make one."""

    values: np.ndarray
    combine: Combine
    nothing: Any
    """What changes nothing when it is combined."""
    kind: pa.DataType

    def of(self, values: np.ndarray) -> "Part":
        """Other values of the same column."""
        return Part(values, self.combine, self.nothing, self.kind)

    def take(self, rows: np.ndarray) -> "Part":
        """Some rows, in this order."""
        return self.of(self.values[rows])

    def grouped(self, starts: np.ndarray) -> "Part":
        """One value for each group; the rows of a group lie side by side, and the groups begin at `starts`."""
        if len(starts) == len(self.values):
            return self
        return self.of(self.combine.reduceat(self.values, starts))

    def slid(self, depth: int) -> "Part":
        """Each value combined with the depth - 1 behind it, by doubling; that many fewer values."""
        power, width, total, done = self.values, 1, None, 0
        while True:
            if depth & width:
                total = power if total is None else self._both(total, power[done:])
                done += width
            if 2 * width > depth:
                return self.of(total[: len(self.values) - depth + 1])  # type: ignore[index]
            power = self._both(power, power[width:])
            width *= 2

    def _both(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        length = min(len(one), len(other))
        return self.combine(one[:length], other[:length])


@dataclass(frozen=True)
class Groups:
    """Which rows belong together."""

    order: np.ndarray
    """The rows, those of a group side by side."""
    begins: np.ndarray
    """Where in `order` each group begins."""

    @property
    def firsts(self) -> np.ndarray:
        """A row of each group."""
        rows: np.ndarray = self.order[self.begins]
        return rows

    def combined(self, part: Part) -> Part:
        """One value for each group."""
        return part.take(self.order).grouped(self.begins)


def objects(values: list[Any]) -> np.ndarray:
    """An array of whatever they are."""
    made = np.empty(len(values), object)
    made[:] = values
    return made


def part(column: pa.Array, combine: np.ufunc) -> Part:
    """A column of numbers: nulls become what changes nothing. NaN is larger than any number, as in Spark."""
    kind = column.type
    if pa.types.is_decimal(kind):
        return _decimals(column, combine)
    whole = pa.types.is_integer(kind)
    nothing: Any = 0
    if combine is np.fmin:
        nothing = np.iinfo(kind.to_pandas_dtype()).max if whole else np.nan
    if combine is np.maximum:
        nothing = np.iinfo(kind.to_pandas_dtype()).min if whole else -np.inf
    return Part(column.fill_null(pa.scalar(nothing, kind)).to_numpy(zero_copy_only=False), combine, nothing, kind)


def _decimals(column: pa.Array, combine: np.ufunc) -> Part:
    """As whole numbers of the last place: of 64 bits if no sum can overflow them, else Python's."""
    nothing = 0 if combine is np.add else _LARGER if combine is np.fmin else -_LARGER
    operation = np.minimum if combine is np.fmin else combine  # there is no NaN
    if combine is np.add and column.type.scale == 0:
        try:
            return summands(column.cast(pa.int64()), column.type)
        except pa.ArrowInvalid:
            pass  # too large for that
    numbers = _last_places(column)
    numbers[column.is_null().to_numpy(zero_copy_only=False)] = nothing
    return Part(numbers, operation, nothing, column.type)


def _last_places(column: pa.Array) -> np.ndarray:
    """Decimals as Python's whole numbers of their last place, anything for null: out of Arrow's 128 bits, exactly."""
    halves = np.dtype([("low", "<u8"), ("high", "<i8")])
    column = column.cast(pa.decimal128(column.type.precision, column.type.scale))
    if not len(column):
        return objects([])
    found = np.frombuffer(column.buffers()[1], halves, len(column), 16 * column.offset)
    numbers: np.ndarray = found["high"].astype(object) * 2**64 + found["low"].astype(object)
    return numbers


def summands(values: pa.Array, kind: pa.DataType) -> Part:
    """Numbers whose sums are to have type `kind`; nulls become 0. In 64 bits if no sum can overflow them."""
    if pa.types.is_decimal(kind) and pa.types.is_integer(values.type):
        numbers = values.fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False)
        small = float(np.abs(numbers.astype(np.float64)).sum()) < _LARGEST
        return Part(numbers if small else objects(numbers.tolist()), np.add, 0, kind)
    if pa.types.is_decimal(kind):
        return replace(_decimals(values, np.add), kind=kind)
    return part(values.cast(kind), np.add)


def arrow(part: Part, missing: np.ndarray | None = None) -> pa.Array:
    """The values as they stand in a table; null where `missing`, and where a sum has too many digits: see `beyond`."""
    if part.values.dtype != object:
        return pa.array(part.values, mask=missing).cast(part.kind)
    limit = 10**part.kind.precision
    gone = np.zeros(len(part.values), bool) if missing is None else missing
    values = [None if g or abs(v) >= limit else _decimal(part, v) for v, g in zip(part.values, gone, strict=True)]
    return pa.array(values, part.kind)


def _decimal(part: Part, value: int) -> Decimal:
    return Decimal(value).scaleb(-part.kind.scale, EXACTLY)


def beyond(part: Part) -> pa.Array:
    """The values that have more digits than the column's type, as text; null for the others."""
    limit = 10**part.kind.precision
    many = part.values.dtype == object
    values = [f"{_decimal(part, v):f}" if many and abs(v) >= limit else None for v in part.values]
    return pa.array(values, pa.string())


def means(sums: Part, counts: np.ndarray) -> np.ndarray:
    """The sums by the counts, which are not 0, as numbers of 64 bits; of exact sums the nearest."""
    if sums.values.dtype != object:
        quotients: np.ndarray = sums.values.astype(np.float64) / counts
        return quotients
    last_place = 10**sums.kind.scale
    both = zip(sums.values.tolist(), counts.tolist(), strict=True)
    return np.array([value / (last_place * count) for value, count in both], np.float64)


def codes(table: pa.Table, keys: tuple[str, ...]) -> np.ndarray:
    """A number for each row, the same for the same keys; null is a key of its own."""
    found, most = np.zeros(len(table), np.int64), 1
    for name in keys:
        column = table[name].combine_chunks().dictionary_encode(null_encoding="encode")
        width = max(1, len(column.dictionary))
        if most * width > _LARGEST:
            found = np.unique(found, return_inverse=True)[1].astype(np.int64)
            most = len(found)
        found, most = found * width + column.indices.to_numpy(zero_copy_only=False), most * width
    return found


def group(keys: np.ndarray, within: np.ndarray) -> Groups:
    """Rows of one key and one `within` belong together; groups are in order of the two."""
    order = np.lexsort((within, keys))
    keys, within = keys[order], within[order]
    changes = np.flatnonzero((keys[1:] != keys[:-1]) | (within[1:] != within[:-1])) + 1
    return Groups(order, np.concatenate([[0], changes]) if len(order) else changes)
