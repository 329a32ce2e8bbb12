"""Events into partial panes: once in each task that reads them, then once for each pane and group.

With numpy and DataSketches' own library, because Spark's aggregation spends some 100 CPU µs on each group that has a
sketch, and 5 on each record.
"""

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructField, StructType, TimestampType

from jobs.events import equality
from jobs.events.arrow_step import ArrowStep
from jobs.facts import pane_table, partials
from jobs.facts.panes import Panes
from jobs.facts.partials import Part

BLOCK_ROWS = 200_000
"""So many events are waited for before they are added up: it bounds the memory of a task."""


def output(kinds: StructType, panes: Panes) -> StructType:
    """The columns of partial panes of events with these columns: pane_start, the groups, those of each statistic."""
    fields = [StructField("pane_start", TimestampType())]
    fields += [StructField(name, kinds[name].dataType) for name in panes.by]
    # Statistics of one column may have a pane column in common: see statistic.py.
    of_statistics: dict[tuple[str | None, str], StructField] = {}
    for statistic in panes.statistics:
        of_statistics |= {(statistic.column, field.name): field for field in statistic.pane_columns(kinds)}
    return StructType([*fields, *of_statistics.values()])


def collect(events: DataFrame, panes: Panes, after: ArrowStep | None = None) -> DataFrame:
    """Partial panes of `events`, which have `event_time` and the columns that `panes` names, or get them in the step
    `after` which this comes. One row for each pane and group, in the columns of `output`.
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
    events = equality.normalise_columns(events, panes.columns)
    micros = events["event_time"].cast(pa.int64()).to_numpy()
    starts = micros - micros % (panes.every_seconds * 1_000_000)
    groups = partials.group(partials.codes(events, panes.by), starts)
    parts: dict[str, Part] = {}
    for statistic in panes.statistics:
        parts |= statistic.of_events(events, groups, target)
    keyed = events.select(panes.by).append_column("pane_start", pa.array(starts, target.field("pane_start").type))
    yield from pane_table.batches(keyed.take(pa.array(groups.firsts)), parts, panes, target)


def _grouped(batches: list[pa.RecordBatch], panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Partial panes with each key once."""
    some = [batch for batch in batches if batch.num_rows]
    if some:
        yield from pane_table.combine(pa.Table.from_batches(some), panes, target)
