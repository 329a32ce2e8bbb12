"""The algebra of columns of partial panes in memory: they are combined by key, and windows slide over them.

With numpy, because Spark's own aggregation spends some 100 CPU µs on each group that has a sketch, and explodes each
pane into every window that holds it. Here a window that hops costs as many steps as its depth has binary digits.
"""

from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

_LARGEST = 2**62
"""A whole number below it fits into 64 bits for certain."""
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
class PaneColumn:
    """A column of partial panes: its values in numpy, and how two of them make one."""

    values: np.ndarray
    combine: Combine
    nothing: Any
    """The neutral value: combined with any other, it gives the other."""
    kind: pa.DataType

    def with_values(self, values: np.ndarray) -> "PaneColumn":
        """The same column with other values."""
        return PaneColumn(values, self.combine, self.nothing, self.kind)

    def and_also(self, more: "PaneColumn") -> "PaneColumn":
        """The values of this column, then those of `more`, which must be of the same statistic."""
        values = np.concatenate([self.values, more.values])
        if pa.types.is_decimal(self.kind) and values.dtype != object and not _fit_64_bits(values):
            values = object_array(values.tolist())
        return self.with_values(values)

    def take(self, rows: np.ndarray) -> "PaneColumn":
        """The values of these rows, in this order."""
        return self.with_values(self.values[rows])

    def combine_groups(self, starts: np.ndarray) -> "PaneColumn":
        """One value for each group; the rows of a group lie side by side, and the groups begin at `starts`."""
        if len(starts) == len(self.values):
            return self
        return self.with_values(self.combine.reduceat(self.values, starts))

    def slide(self, depth: int) -> "PaneColumn":
        """Each value combined with the depth - 1 after it, so depth - 1 fewer values.

        By doubling: `power` has each value combined with the next width - 1; the powers whose width is a binary digit
        of `depth` make the total. Values 1 2 3 4 5, depth 3: width 1 gives 1 2 3 4 5, width 2 gives 3 5 7 9, and the
        two together 6 9 12.
        """
        power, width, total, done = self.values, 1, None, 0
        while True:
            if depth & width:
                total = power if total is None else self._both(total, power[done:])
                done += width
            if 2 * width > depth:
                return self.with_values(total[: len(self.values) - depth + 1])  # type: ignore[index]
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

    def combine(self, column: PaneColumn) -> PaneColumn:
        """One value for each group."""
        return column.take(self.order).combine_groups(self.begins)


def object_array(values: list[Any]) -> np.ndarray:
    """An array of Python's objects."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def numeric_column(column: pa.Array, combine: np.ufunc) -> PaneColumn:
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
    return PaneColumn(column.fill_null(pa.scalar(nothing, kind)).to_numpy(zero_copy_only=False), combine, nothing, kind)


def _decimals(column: pa.Array, combine: np.ufunc) -> PaneColumn:
    """A column of decimals, as whole numbers of the last place: of 64 bits if no sum can overflow, else Python's."""
    nothing = 0 if combine is np.add else _LARGER if combine is np.fmin else -_LARGER
    operation = np.minimum if combine is np.fmin else combine  # there is no NaN
    if combine is np.add and column.type.scale == 0:
        try:
            return summands(column.cast(pa.int64()), column.type)
        except pa.ArrowInvalid:
            pass  # too large for that
    numbers = _last_places(column)
    numbers[column.is_null().to_numpy(zero_copy_only=False)] = nothing
    return PaneColumn(numbers, operation, nothing, column.type)


def _last_places(column: pa.Array) -> np.ndarray:
    """Decimals as Python's whole numbers of their last place, anything for null: out of Arrow's 128 bits, exactly."""
    halves = np.dtype([("low", "<u8"), ("high", "<i8")])
    column = column.cast(pa.decimal128(column.type.precision, column.type.scale))
    if not len(column):
        return object_array([])
    words = np.frombuffer(column.buffers()[1], halves, len(column), 16 * column.offset)
    numbers: np.ndarray = words["high"].astype(object) * 2**64 + words["low"].astype(object)
    return numbers


def summands(values: pa.Array, kind: pa.DataType) -> PaneColumn:
    """Numbers whose sums are to have type `kind`; nulls become 0. In 64 bits if no sum can overflow them."""
    if pa.types.is_decimal(kind) and pa.types.is_integer(values.type):
        numbers = values.fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False)
        return PaneColumn(numbers if _fit_64_bits(numbers) else object_array(numbers.tolist()), np.add, 0, kind)
    if pa.types.is_decimal(kind):
        return replace(_decimals(values, np.add), kind=kind)
    return numeric_column(values.cast(kind), np.add)


def _fit_64_bits(numbers: np.ndarray) -> bool:
    """Whether no sum of any of these can overflow 64 bits."""
    return float(np.abs(numbers.astype(np.float64)).sum()) < _LARGEST


def to_arrow(column: PaneColumn, missing: np.ndarray | None = None) -> pa.Array:
    """The values as a table has them; null where `missing`, and where a sum has too many digits: see `beyond_texts`."""
    if column.values.dtype != object:
        return pa.array(column.values, mask=missing).cast(column.kind)
    limit = 10**column.kind.precision
    nulls = np.zeros(len(column.values), bool) if missing is None else missing
    pairs = zip(column.values, nulls, strict=True)
    values = [None if null or abs(value) >= limit else _decimal(column, value) for value, null in pairs]
    return pa.array(values, column.kind)


def _decimal(column: PaneColumn, value: int) -> Decimal:
    return Decimal(value).scaleb(-column.kind.scale, EXACTLY)


def beyond_texts(column: PaneColumn) -> pa.Array:
    """The values that have more digits than the column's type, as text; null for the others."""
    limit = 10**column.kind.precision
    exact = column.values.dtype == object
    values = [f"{_decimal(column, v):f}" if exact and abs(v) >= limit else None for v in column.values]
    return pa.array(values, pa.string())


def means(sums: PaneColumn, counts: np.ndarray) -> np.ndarray:
    """The sums divided by the counts, which are not 0, as doubles; of exact sums the nearest double."""
    if sums.values.dtype != object:
        quotients: np.ndarray = sums.values.astype(np.float64) / counts
        return quotients
    last_place = 10**sums.kind.scale
    pairs = zip(sums.values.tolist(), counts.tolist(), strict=True)
    return np.array([value / (last_place * count) for value, count in pairs], np.float64)


def group_keys(table: pa.Table, keys: tuple[str, ...]) -> np.ndarray:
    """A number for each row: rows with equal keys get the same one. Null is a key of its own."""
    numbers, most = np.zeros(len(table), np.int64), 1
    for name in keys:
        codes, width = _codes(table[name])
        if most * width > _LARGEST:
            numbers = np.unique(numbers, return_inverse=True)[1].astype(np.int64)
            most = len(numbers)
        if most * width > _LARGEST:
            codes, width = _dictionary_codes(table[name])
        numbers, most = numbers * width + codes, most * width
    return numbers


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """A number for each different value, and one more than the largest of them."""
    if pa.types.is_integer(column.type) and len(column) and not column.null_count:
        values = column.cast(pa.int64()).to_numpy()
        least, width = int(values.min()), int(values.max()) - int(values.min()) + 1
        if width <= _LARGEST:
            return values - least, width  # some ten times as fast as a dictionary
    return _dictionary_codes(column)


def _dictionary_codes(column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy(zero_copy_only=False), max(1, len(encoded.dictionary))


def group(keys: np.ndarray, within: np.ndarray) -> Groups:
    """Rows of one key and one `within` belong together; groups are in order of the two."""
    order = np.lexsort((within, keys))
    keys, within = keys[order], within[order]
    changes = np.flatnonzero((keys[1:] != keys[:-1]) | (within[1:] != within[:-1])) + 1
    return Groups(order, np.concatenate([[0], changes]) if len(order) else changes)
