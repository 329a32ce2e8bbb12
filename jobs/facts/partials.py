"""Partial panes in memory, as columns: added up by key, slid over by windows, finished as what a reader gets.

With numpy, because Spark's own aggregation spends some 100 CPU µs on each group that has a sketch, and explodes each
pane into every window that holds it. Here a window that hops costs as many steps as its depth has binary digits.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.events import equality
from jobs.facts.panes import Panes
from sketches import hyperloglog

Combine = Callable[[Any, Any], Any]

_LARGEST = 2**62
_LARGER = 10**60
"""Larger than any decimal."""
_EXACTLY = Context(prec=100)
"""Python's own context of decimals would round to 28 digits."""
BEYOND = "_beyond"
"""Ends the name of the column, beside a column of sums, for sums of more than 38 digits: as text, exactly."""


@dataclass(frozen=True)
class Part:
    """A column of partial panes: its values in numpy, and how two of them make one."""

    values: np.ndarray
    combine: np.ufunc | None
    """None: sketches, as bytes or None."""
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
        if self.combine is not None:
            return self.of(self.combine.reduceat(self.values, starts))
        ends = np.append(starts[1:], len(self.values))
        groups = zip(starts.tolist(), ends.tolist(), strict=True)
        return self.of(objects([_union(self.values[first:after]) for first, after in groups]))

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
        if self.combine is not None:
            combined: np.ndarray = self.combine(one[:length], other[:length])
            return combined
        return objects([_union(pair) for pair in zip(one[:length], other[:length], strict=True)])


def objects(values: list[Any]) -> np.ndarray:
    """An array of whatever they are."""
    made = np.empty(len(values), object)
    made[:] = values
    return made


def _union(sketches: Any) -> bytes | None:
    some = [sketch for sketch in sketches if sketch is not None]
    return some[0] if len(some) == 1 else hyperloglog.merge(some, thoroughly=False) if some else None


def parts(table: pa.Table, panes: Panes, uniques: bool = True) -> dict[str, Part]:
    """The columns that are not keys, by name; those of sketches only with `uniques`."""
    found = {}
    for name in (panes.count, *(f"{name}_count" for name in (*panes.averages, *panes.counts))):
        found[name] = part(table[name].combine_chunks(), np.add)
    for name in panes.averages:
        found[f"{name}_sum"] = _sums(table, f"{name}_sum")
        found[f"{name}_min"] = part(table[f"{name}_min"].combine_chunks(), np.fmin)
        found[f"{name}_max"] = part(table[f"{name}_max"].combine_chunks(), np.maximum)
    for name in panes.uniques if uniques else ():
        column = table[f"{name}_sketch"]
        found[f"{name}_sketch"] = Part(objects(column.to_pylist()), None, None, column.type)
    return found


def _sums(table: pa.Table, name: str) -> Part:
    """The sums of a column, with those that stand in the column beside it, as they have more digits than a decimal."""
    found = part(table[name].combine_chunks(), np.add)
    if f"{name}{BEYOND}" not in table.column_names:
        return found
    values, texts = found.values.astype(object), table[f"{name}{BEYOND}"].to_pylist()
    for row, text in enumerate(texts):
        if text is not None:
            values[row] = int(Decimal(text).scaleb(found.kind.scale, _EXACTLY))
    return found.of(values)


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


def table(keys: pa.Table, columns: dict[str, Part], panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Partial panes as batches in the columns of `target`; `keys` has a row for each."""
    made = {name: arrow(part) for name, part in columns.items()}
    for name in panes.averages:
        none = columns[f"{name}_count"].values == 0
        made |= {f"{name}_{which}": arrow(columns[f"{name}_{which}"], none) for which in ("sum", "min", "max")}
        if f"{name}_sum{BEYOND}" in target.names:
            made[f"{name}_sum{BEYOND}"] = _beyond(columns[f"{name}_sum"])
    made |= {name: keys[name] for name in keys.column_names}
    arrays = [made[field.name].cast(field.type) for field in target]
    yield from pa.Table.from_arrays(arrays, schema=target).to_batches(10_000)


def added_up(panes_: pa.Table, panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Partial panes with each pane and group once, in the columns of `target`; `sequence` is the greatest."""
    keys = ("pane_start", *panes.by)
    panes_ = equality.normalise_columns(panes_, panes.by)  # those of an earlier version may have both zeros
    columns = parts(panes_, panes)
    if "sequence" in target.names:
        columns["sequence"] = part(panes_["sequence"].combine_chunks(), np.maximum)
    order, begins = group(codes(panes_, keys), np.zeros(len(panes_), np.int64))
    columns = {name: part.take(order).grouped(begins) for name, part in columns.items()}
    yield from table(panes_.select(keys).take(pa.array(order[begins])), columns, panes, target)


def arrow(part: Part, missing: np.ndarray | None = None) -> pa.Array:
    """The values as they stand in a table; null where `missing`, and where a sum has too many digits: see BEYOND."""
    if part.values.dtype != object or part.combine is None:
        return pa.array(part.values, mask=missing).cast(part.kind)
    limit = 10**part.kind.precision
    gone = np.zeros(len(part.values), bool) if missing is None else missing
    values = [None if g or abs(v) >= limit else _decimal(part, v) for v, g in zip(part.values, gone, strict=True)]
    return pa.array(values, part.kind)


def _decimal(part: Part, value: int) -> Decimal:
    return Decimal(value).scaleb(-part.kind.scale, _EXACTLY)


def _beyond(part: Part) -> pa.Array:
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


def group(keys: np.ndarray, within: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order of rows by key and by `within`, and where in it each pair of the two begins."""
    order = np.lexsort((within, keys))
    keys, within = keys[order], within[order]
    changes = np.flatnonzero((keys[1:] != keys[:-1]) | (within[1:] != within[:-1])) + 1
    return order, np.concatenate([[0], changes]) if len(order) else changes


def finish(merged: dict[str, Part], panes: Panes, uniques: bool = True) -> dict[str, pa.Array]:
    """The count; per average `_mean` (double; null if there was no value), `_min`, `_max`; per unique `_estimate`
    (distinct values), `_standard_error` (in values, one standard deviation), `_sketch`; per boolean `_count`; `lg_k` if
    there are uniques. Without `uniques` theirs are null.
    """
    columns = {panes.count: arrow(merged[panes.count])}
    length = len(columns[panes.count])
    for name in panes.averages:
        counted = merged[f"{name}_count"].values
        none = counted == 0
        found = means(merged[f"{name}_sum"], np.where(none, 1, counted))
        columns[f"{name}_mean"] = pa.array(found, pa.float64(), mask=none)
        columns |= {f"{name}_{end}": arrow(merged[f"{name}_{end}"], none) for end in ("min", "max")}
    for name in panes.uniques:
        sketches: list[bytes | None] = [None] * length
        estimates: list[int | None] = [None] * length
        if uniques:
            # Merging drops the running estimate of a single stream, which depends on how the stream was cut.
            sketches = [hyperloglog.merge([sketch], False) for sketch in merged[f"{name}_sketch"].values]
            estimates = [int(hyperloglog.estimate(sketch, False) + 0.5) for sketch in sketches if sketch is not None]
        columns[f"{name}_estimate"] = pa.array(estimates, pa.int64())
        columns[f"{name}_standard_error"] = pc.multiply(
            columns[f"{name}_estimate"].cast(pa.float64()), hyperloglog.standard_error(panes.lg_k)
        )
        columns[f"{name}_sketch"] = pa.array(sketches, pa.binary())
    columns |= {f"{name}_count": arrow(merged[f"{name}_count"]) for name in panes.counts}
    if panes.uniques:
        columns["lg_k"] = pa.array([panes.lg_k] * length, pa.int32())
    return columns
