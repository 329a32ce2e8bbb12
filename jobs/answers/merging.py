"""Partial panes into windows: what a window holds is the merge of its panes, never a second pass over events."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from jobs.answers.windows import Window, first_start
from jobs.answers.windows.window import Buckets
from jobs.events import equality
from jobs.facts import pane_table, partials
from jobs.facts.panes import Panes
from jobs.facts.partials import PaneColumn

BLOCK_ROWS = 200_000
"""Windows are made once this many panes have been read, which bounds the memory of a task."""
_LAST = 2**62
"""A start after that of every window, in seconds."""


def output(kinds: StructType, panes: Panes) -> StructType:
    """The columns of windows: windows.KEYS, the groups, those of each statistic. `kinds`: of partial panes."""
    fields = [StructField("window", StringType())]
    fields += [StructField(name, TimestampType()) for name in ("window_start", "window_end")]
    fields += [StructField(name, kinds[name].dataType) for name in panes.by]
    fields += [field for statistic in panes.statistics for field in statistic.window_columns(kinds)]
    return StructType(fields)


def merge(frame: DataFrame, panes: Panes, windows: tuple[Window, ...], since_sequence: int | None = None) -> DataFrame:
    """The windows of partial panes, in the columns of `output`; with `since_sequence` only those that hold a pane of a
    later `sequence`. Sketches of different lg_k raise UnlikeSketches.
    """
    columns = output(frame.schema, panes)
    target = to_arrow_schema(columns, timezone="UTC")

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return window_batches(batches, panes, windows, target, since_sequence)

    by_group = frame.repartition(*panes.by) if panes.by else frame.repartition(1)
    return by_group.sortWithinPartitions("pane_start").mapInArrow(process, columns)


def window_batches(
    batches: Iterator[pa.RecordBatch],
    panes: Panes,
    windows: tuple[Window, ...],
    target: pa.Schema,
    since_sequence: int | None,
    block_rows: int = BLOCK_ROWS,
) -> Iterator[pa.RecordBatch]:
    """The windows of partial panes, which come in order of time, with every pane of a group among them."""
    for table, first, after in _blocks(batches, windows, block_rows):
        for window in windows:
            yield from _windows_of_kind(table, panes, window, (first, after), since_sequence, target)


def window_count(table: pa.Table, panes: Panes, windows: tuple[Window, ...]) -> int:
    """How many windows these partial panes fill."""
    groups, total = partials.group_keys(table, panes.by), 0
    for window in windows:
        starts = window.starts(_seconds(table))
        rows = partials.group(groups, starts).firsts
        total += window.count(groups[rows], starts[rows])
    return total


def _blocks(
    batches: Iterator[pa.RecordBatch], windows: tuple[Window, ...], block_rows: int
) -> Iterator[tuple[pa.Table, int, int]]:
    """Panes, which come in order of time, in blocks: each with the span [first, after) of the starts of the windows
    that it completes.
    """
    waiting: list[pa.RecordBatch] = []
    first = None
    for batch in batches:
        if not batch.num_rows:
            continue
        waiting.append(batch)
        if first is None:
            first = first_start(windows, int(_seconds(batch)[0]))
        if sum(len(rows) for rows in waiting) <= block_rows:
            continue
        newest = int(_seconds(batch)[-1])
        after = first_start(windows, newest)  # a window that starts before has all its panes
        # Panes from `after` on stay for the next block and are merged again: only if this block completes at least as
        # long a time.
        if after - first >= max(newest - after, 1):
            table = pa.Table.from_batches(waiting)
            yield table, first, after
            waiting = table.filter(pa.array(_seconds(table) >= after)).to_batches()
            first = after
    if waiting and first is not None:
        yield pa.Table.from_batches(waiting), first, _LAST


def _seconds(panes: pa.Table | pa.RecordBatch) -> np.ndarray:
    seconds: np.ndarray = panes["pane_start"].cast(pa.int64()).to_numpy() // 1_000_000
    return seconds


def _windows_of_kind(
    table: pa.Table, panes: Panes, window: Window, span: tuple[int, int], since: int | None, target: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Windows of one kind that start in `span`, for each group."""
    table = equality.normalise_columns(table, panes.by)  # panes of an earlier version may have both zeros
    statistics = [statistic for statistic in panes.statistics if window.uniques or not statistic.is_optional]
    columns = pane_table.pane_columns(table, statistics)
    is_new = np.ones(len(table), bool) if since is None else table["sequence"].to_numpy() > since
    columns["changed"] = PaneColumn(is_new, np.logical_or, False, pa.bool_())
    starts, keys = window.starts(_seconds(table)), partials.group_keys(table, panes.by)
    groups = partials.group(keys, starts)
    rows, columns = groups.firsts, {name: groups.combine(column) for name, column in columns.items()}
    filled = window.spread(Buckets(rows, keys[rows], starts[rows], columns))
    in_span = (filled.starts >= span[0]) & (filled.starts < span[1])
    places = np.flatnonzero(filled.columns["changed"].values & in_span)
    if not len(places):
        return
    columns = {name: column.take(places) for name, column in filled.columns.items()}
    rows, starts = filled.rows[places], filled.starts[places]
    arrays = {"window": pa.repeat(window.name, len(rows))}
    arrays |= {"window_start": _times(starts), "window_end": _times(window.ends(starts))}
    arrays |= {name: pc.take(table[name], pa.array(rows)).combine_chunks() for name in panes.by}
    for statistic in statistics:
        arrays |= statistic.finish(columns, len(rows))
    if not window.uniques:
        arrays |= {field.name: pa.nulls(len(rows), field.type) for field in target if field.name not in arrays}
    ordered = [arrays[field.name].cast(field.type) for field in target]
    yield from pa.Table.from_arrays(ordered, schema=target).to_batches(10_000)


def _times(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds * 1_000_000, pa.timestamp("us", tz="UTC"))
