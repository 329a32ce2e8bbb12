"""Partial panes into windows: what a window holds is the merge of its panes, never a second pass over events."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from jobs.answers import windows
from jobs.answers.windows import Window
from jobs.answers.windows.window import Buckets
from jobs.events import equality
from jobs.facts import pane_table, partials
from jobs.facts.panes import Panes
from jobs.facts.partials import Part

BLOCK_ROWS = 200_000
"""So many panes are waited for before windows are made of them: it bounds the memory of a task."""


def output(kinds: StructType, panes: Panes) -> StructType:
    """The columns of windows: windows.KEYS, the groups, those of each statistic. `kinds`: of partial panes."""
    fields = [StructField("window", StringType())]
    fields += [StructField(name, TimestampType()) for name in ("window_start", "window_end")]
    fields += [StructField(name, kinds[name].dataType) for name in panes.by]
    fields += [field for statistic in panes.statistics for field in statistic.window_columns(kinds)]
    return StructType(fields)


def merge(frame: DataFrame, panes: Panes, some: tuple[Window, ...], since_sequence: int | None = None) -> DataFrame:
    """The windows of partial panes, in the columns of `output`; only those that hold a pane of a later `sequence` than
    `since_sequence`, if that is given. Sketches of unlike lg_k stop with UnlikeSketches.
    """
    columns = output(frame.schema, panes)
    target = to_arrow_schema(columns, timezone="UTC")

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return merged(batches, panes, some, target, since_sequence)

    together = frame.repartition(*panes.by) if panes.by else frame.repartition(1)
    return together.sortWithinPartitions("pane_start").mapInArrow(process, columns)


def merged(
    batches: Iterator[pa.RecordBatch],
    panes: Panes,
    some: tuple[Window, ...],
    target: pa.Schema,
    since_sequence: int | None,
    block_rows: int = BLOCK_ROWS,
) -> Iterator[pa.RecordBatch]:
    """The windows of partial panes that come in the order of time; every pane of a group is among them."""
    for table, first, after in _blocks(batches, some, block_rows):
        for window in some:
            yield from _windows(table, panes, window, (first, after), since_sequence, target)


def count(table: pa.Table, panes: Panes, some: tuple[Window, ...]) -> int:
    """How many windows these partial panes fill."""
    groups, found = partials.codes(table, panes.by), 0
    for window in some:
        starts = window.starts(_seconds(table))
        rows = partials.group(groups, starts).firsts
        found += window.count(groups[rows], starts[rows])
    return found


def _blocks(
    batches: Iterator[pa.RecordBatch], some: tuple[Window, ...], block_rows: int
) -> Iterator[tuple[pa.Table, int, int]]:
    """Panes, which come in the order of time, in blocks: each with the span of starts of the windows that it fills."""
    waiting: list[pa.RecordBatch] = []
    first = None
    for batch in batches:
        if not batch.num_rows:
            continue
        waiting.append(batch)
        if first is None:
            first = windows.first_start(some, int(_seconds(batch)[0]))
        if sum(len(part) for part in waiting) <= block_rows:
            continue
        newest = int(_seconds(batch)[-1])
        after = windows.first_start(some, newest)  # a window that starts before has all its panes
        # Panes from there on stay, and are gone over again: only if at least as long a time is done with.
        if after - first >= max(newest - after, 1):
            table = pa.Table.from_batches(waiting)
            yield table, first, after
            waiting = table.filter(pa.array(_seconds(table) >= after)).to_batches()
            first = after
    if waiting and first is not None:
        yield pa.Table.from_batches(waiting), first, _LAST


_LAST = 2**62


def _seconds(panes: pa.Table | pa.RecordBatch) -> np.ndarray:
    seconds: np.ndarray = panes["pane_start"].cast(pa.int64()).to_numpy() // 1_000_000
    return seconds


def _windows(
    table: pa.Table, panes: Panes, window: Window, span: tuple[int, int], since: int | None, target: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Windows of one kind that start in `span`, for each group."""
    table = equality.normalise_columns(table, panes.by)  # panes of an earlier version may have both zeros
    kept = [statistic for statistic in panes.statistics if window.uniques or not statistic.is_optional]
    parts = pane_table.parts_of(table, kept)
    changed = np.ones(len(table), bool) if since is None else table["sequence"].to_numpy() > since
    parts["changed"] = Part(changed, np.logical_or, False, pa.bool_())
    starts, groups = window.starts(_seconds(table)), partials.codes(table, panes.by)
    together = partials.group(groups, starts)
    rows, parts = together.firsts, {name: together.combined(part) for name, part in parts.items()}
    filled = window.spread(Buckets(rows, groups[rows], starts[rows], parts))
    starts = filled.starts
    wanted = np.flatnonzero(filled.parts["changed"].values & (starts >= span[0]) & (starts < span[1]))
    if not len(wanted):
        return
    parts = {name: part.take(wanted) for name, part in filled.parts.items()}
    rows, starts = filled.rows[wanted], starts[wanted]
    made = {"window": pa.repeat(window.name, len(rows))}
    made |= {"window_start": _times(starts), "window_end": _times(window.ends(starts))}
    made |= {name: pc.take(table[name], pa.array(rows)).combine_chunks() for name in panes.by}
    for statistic in kept:
        made |= statistic.finish(parts, len(rows))
    if not window.uniques:
        made |= {field.name: pa.nulls(len(rows), field.type) for field in target if field.name not in made}
    arrays = [made[field.name].cast(field.type) for field in target]
    yield from pa.Table.from_arrays(arrays, schema=target).to_batches(10_000)


def _times(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds * 1_000_000, pa.timestamp("us", tz="UTC"))
