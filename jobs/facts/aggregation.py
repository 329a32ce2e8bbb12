"""Events into partial panes: once in each task that reads them, then once for each pane and group.

With numpy and DataSketches' own library, because Spark's aggregation spends some 100 CPU µs on each group that has a
sketch, and 5 on each record.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    BinaryType,
    DataType,
    DecimalType,
    DoubleType,
    FractionalType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.events import equality
from jobs.events.arrow_step import ArrowStep
from jobs.facts import partials
from jobs.facts.panes import Panes
from jobs.facts.partials import BEYOND, Part
from sketches import hyperloglog

MOST_DIGITS = 38
"""Of a decimal, in Spark and in Delta."""
SPARE_DIGITS = 10
"""A sum has so many more digits than what is added up; where they are not to be had, see partials.BEYOND."""
BLOCK_ROWS = 200_000
"""So many events are waited for before they are added up: it bounds the memory of a task."""


def output(kinds: StructType, panes: Panes) -> StructType:
    """The columns of partial panes of events with these columns: pane_start, the groups, the count; per average
    `_count`, `_sum`, `_min`, `_max`; per unique `_sketch`; per boolean `_count`. Where a sum may have more than 38
    digits there is `_sum_beyond`: such a sum as text, and then `_sum` is null.
    """
    fields: list[tuple[str, DataType]] = [("pane_start", TimestampType())]
    fields += [(name, kinds[name].dataType) for name in panes.by]
    fields.append((panes.count, LongType()))
    for name in panes.averages:
        kind = kinds[name].dataType
        fields += [(f"{name}_count", LongType()), (f"{name}_sum", _sum_type(kind))]
        if isinstance(kind, DecimalType) and kind.precision > MOST_DIGITS - SPARE_DIGITS:
            fields.append((f"{name}_sum{BEYOND}", StringType()))
        fields += [(f"{name}_min", kind), (f"{name}_max", kind)]
    fields += [(f"{name}_sketch", BinaryType()) for name in panes.uniques]
    fields += [(f"{name}_count", LongType()) for name in panes.counts]
    return StructType([StructField(name, kind) for name, kind in fields])


def _sum_type(kind: DataType) -> DataType:
    """32-bit numbers sum exactly in 64 bits, 64-bit numbers could overflow there."""
    if isinstance(kind, LongType):
        return DecimalType(30, 0)
    if isinstance(kind, DecimalType):
        return DecimalType(min(MOST_DIGITS, kind.precision + SPARE_DIGITS), kind.scale)
    return DoubleType() if isinstance(kind, FractionalType) else LongType()


def collect(events: DataFrame, panes: Panes, after: ArrowStep | None = None) -> DataFrame:
    """Partial panes of `events`, which have `event_time` and the columns that `panes` names, or get them in the step
    `after` which this comes. One row for each pane and group, in the columns of `output`. Sums of whole numbers are
    exact; sketches are HyperLogLog in the format of Apache DataSketches, as Spark's hll_sketch_agg gives, but for
    the empty text: it counts here.
    """
    columns = output(after.output if after else events.schema, panes)
    target = to_arrow_schema(columns, timezone="UTC")
    parts = ArrowStep(lambda batches: _of_events(batches, panes, target), columns)
    whole = ArrowStep(lambda batches: _grouped(list(batches), panes, target), columns)
    return whole.over((after.then(parts) if after else parts).over(events).repartition("pane_start", *panes.by))


def _of_events(batches: Iterator[pa.RecordBatch], panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(part) for part in waiting) >= BLOCK_ROWS:
            yield from _part(pa.Table.from_batches(waiting), panes, target)
            waiting = []
    if any(len(part) for part in waiting):
        yield from _part(pa.Table.from_batches(waiting), panes, target)


def _part(events: pa.Table, panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Partial panes of some events."""
    events = equality.normalise_columns(events, (*panes.by, *panes.averages))
    micros = events["event_time"].cast(pa.int64()).to_numpy()
    starts = micros - micros % (panes.every_seconds * 1_000_000)
    order, begins = partials.group(partials.codes(events, panes.by), starts)
    columns = {panes.count: Part(np.ones(len(events), np.int64), np.add, 0, pa.int64())}
    for name in panes.averages:
        values = events[name].combine_chunks()
        columns[f"{name}_count"] = Part(_valid(values).astype(np.int64), np.add, 0, pa.int64())
        columns[f"{name}_sum"] = partials.summands(values, target.field(f"{name}_sum").type)
        columns[f"{name}_min"] = partials.part(values, np.fmin)
        columns[f"{name}_max"] = partials.part(values, np.maximum)
    for name in panes.counts:
        true = events[name].combine_chunks().fill_null(False).to_numpy(zero_copy_only=False)
        columns[f"{name}_count"] = Part(true.astype(np.int64), np.add, 0, pa.int64())
    columns = {name: part.take(order).grouped(begins) for name, part in columns.items()}
    for name in panes.uniques:
        sketches = partials.objects(_sketches(events[name], order, begins, panes.lg_k))
        columns[f"{name}_sketch"] = Part(sketches, None, None, pa.binary())
    keyed = events.select(panes.by).append_column("pane_start", pa.array(starts, target.field("pane_start").type))
    yield from partials.table(keyed.take(pa.array(order[begins])), columns, panes, target)


def _valid(values: pa.Array) -> np.ndarray:
    valid: np.ndarray = values.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _sketches(column: pa.ChunkedArray, order: np.ndarray, begins: np.ndarray, lg_k: int) -> list[bytes]:
    """Of the values of each group."""
    values = column.take(pa.array(order)).to_pylist()
    made = []
    for first, after in zip(begins.tolist(), [*begins[1:].tolist(), len(values)], strict=True):
        made.append(hyperloglog.sketch_of(values[first:after], lg_k))
    return made


def _grouped(batches: list[pa.RecordBatch], panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Partial panes with each key once."""
    some = [batch for batch in batches if batch.num_rows]
    if some:
        yield from partials.added_up(pa.Table.from_batches(some), panes, target)
