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
from jobs.facts.partials import PaneColumn

BLOCK_ROWS = 200_000
"""Events are added up once this many have been read, which bounds the memory of a task."""


def output(kinds: StructType, panes: Panes) -> StructType:
    """The columns of partial panes: pane_start, the groups, those of each statistic. `kinds`: of the events."""
    fields = [StructField("pane_start", TimestampType())]
    fields += [StructField(name, kinds[name].dataType) for name in panes.by]
    # Statistics of one column may share a pane column: see statistic.py.
    by_name: dict[tuple[str | None, str], StructField] = {}
    for statistic in panes.statistics:
        by_name |= {(statistic.column, field.name): field for field in statistic.pane_columns(kinds)}
    return StructType([*fields, *by_name.values()])


def aggregate(events: DataFrame, panes: Panes) -> DataFrame:
    """Partial panes of `events`, one row for each pane and group, in the columns of `output`.

    The events have `event_time` and the columns that `panes` names.
    """
    return combine(partial_step(events.schema, panes).over(events), events.schema, panes)


def combine(partial_panes: DataFrame, kinds: StructType, panes: Panes) -> DataFrame:
    """One row for each pane and group, of what `partial_step` has made of events of the columns `kinds`."""
    return combine_step(kinds, panes).over(partial_panes.repartition("pane_start", *panes.by))


def partial_step(kinds: StructType, panes: Panes) -> ArrowStep:
    """The step from events of the columns `kinds` to partial panes, several of a pane and group if there are many."""
    columns = output(kinds, panes)
    target = to_arrow_schema(columns, timezone="UTC")
    return ArrowStep(lambda batches: _partials_of_batches(batches, panes, target), columns)


def combine_step(kinds: StructType, panes: Panes) -> ArrowStep:
    """The step from the partial panes of `partial_step` to one row for each pane and group."""
    columns = output(kinds, panes)
    target = to_arrow_schema(columns, timezone="UTC")
    return ArrowStep(lambda batches: _combine(list(batches), panes, target), columns)


def _partials_of_batches(
    batches: Iterator[pa.RecordBatch], panes: Panes, target: pa.Schema
) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(len(events) for events in waiting) >= BLOCK_ROWS:
            yield from _partials(pa.Table.from_batches(waiting), panes, target)
            waiting = []
    if any(len(events) for events in waiting):
        yield from _partials(pa.Table.from_batches(waiting), panes, target)


def _partials(events: pa.Table, panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Partial panes of these events: one row for each pane and group among them."""
    events = equality.normalise_columns(events, panes.columns)
    micros = events["event_time"].cast(pa.int64()).to_numpy()
    starts = micros - micros % (panes.every_seconds * 1_000_000)
    groups = partials.group(partials.group_keys(events, panes.by), starts)
    columns: dict[str, PaneColumn] = {}
    for statistic in panes.statistics:
        columns |= statistic.from_events(events, groups, target)
    keyed = events.select(panes.by).append_column("pane_start", pa.array(starts, target.field("pane_start").type))
    yield from pane_table.batches(keyed.take(pa.array(groups.firsts)), columns, panes, target)


def _combine(batches: list[pa.RecordBatch], panes: Panes, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Partial panes, one row for each pane and group."""
    batches = [batch for batch in batches if batch.num_rows]
    if batches:
        yield from pane_table.combine(pa.Table.from_batches(batches), panes, target)
