"""Partial panes into windows: what a window holds is the merge of its panes, never a second pass over events."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BooleanType, StringType, StructField, StructType, TimestampType

from jobs.answers.windows import KIND, Window
from jobs.answers.windows.open_windows import CHANGED, Completed, OpenWindows
from jobs.events import equality
from jobs.facts import partials
from jobs.facts.panes import Panes
from jobs.facts.partials import PaneColumn

BLOCK_ROWS = 200_000
"""Windows are made once this many panes have been read, which bounds the memory of a task."""


def output(kinds: StructType, panes: Panes) -> StructType:
    """The columns of windows: windows.KEYS, the groups, those of each statistic, and when the window is final. `kinds`:
    of partial panes.
    """
    fields = [StructField(KIND, StringType())]
    fields += [StructField(name, TimestampType()) for name in ("window_start", "window_end")]
    fields += [StructField(name, kinds[name].dataType) for name in panes.by]
    fields += [field for statistic in panes.statistics for field in statistic.window_columns(kinds)]
    return StructType([*fields, StructField("due_time", TimestampType()), StructField("final", BooleanType())])


def merge(
    frame: DataFrame,
    panes: Panes,
    windows: tuple[Window, ...],
    complete_micros: int,
    since_sequence: int | None = None,
) -> DataFrame:
    """The windows of partial panes, in the columns of `output`; with `since_sequence` only those that hold a pane of a
    later `sequence`. Those that end up to `complete_micros` are final. Sketches of different lg_k raise UnlikeSketches.
    """
    columns = output(frame.schema, panes)
    target = to_arrow_schema(columns, timezone="UTC")

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return window_batches(batches, panes, windows, target, complete_micros, since_sequence)

    by_group = frame.repartition(*panes.by) if panes.by else frame.repartition(1)
    return by_group.sortWithinPartitions("pane_start").mapInArrow(process, columns)


def window_batches(
    batches: Iterator[pa.RecordBatch],
    panes: Panes,
    windows: tuple[Window, ...],
    target: pa.Schema,
    complete_micros: int,
    since_sequence: int | None,
    block_rows: int = BLOCK_ROWS,
) -> Iterator[pa.RecordBatch]:
    """The windows of partial panes, which come in order of time, with every pane of a group among them."""
    for step in window_steps(batches, panes, windows, target, complete_micros, since_sequence, block_rows):
        for completed in step:
            yield from completed.rows.to_batches(10_000)


def window_steps(
    batches: Iterator[pa.RecordBatch],
    panes: Panes,
    windows: tuple[Window, ...],
    target: pa.Schema,
    complete_micros: int,
    since_sequence: int | None,
    block_rows: int,
) -> Iterator[list[Completed]]:
    """As window_batches: for each block of panes the windows that it completes, kind by kind. The spans of a kind
    follow each other without a gap, from the beginning of time to its end.
    """
    kinds = [OpenWindows(window, panes, target, complete_micros) for window in windows]
    statistics = [statistic for statistic in panes.statistics if any(statistic in kind.statistics for kind in kinds)]
    for block, is_last in _blocks(batches, kinds, block_rows):
        table = equality.normalise_columns(block, panes.by)  # panes of an earlier version may have both zeros
        columns = {statistic: statistic.from_panes(table) for statistic in statistics}
        is_new = np.ones(len(table), bool) if since_sequence is None else table["sequence"].to_numpy() > since_sequence
        changed = {CHANGED: PaneColumn(is_new, np.logical_or, False, pa.bool_())}
        keys, seconds = table.select(("pane_start", *panes.by)), _seconds(table)
        step = []
        for kind in kinds:
            shown = {name: column for statistic in kind.statistics for name, column in columns[statistic].items()}
            step.append(kind.add(keys, seconds, shown | changed, is_last))
        yield step


def window_count(table: pa.Table, panes: Panes, windows: tuple[Window, ...]) -> int:
    """How many windows these partial panes fill."""
    groups, total = partials.group_keys(table, panes.by), 0
    for window in windows:
        slots = window.slots(_seconds(table))
        rows = partials.group(groups, slots).firsts
        total += window.count(groups[rows], slots[rows])
    return total


def _blocks(
    batches: Iterator[pa.RecordBatch], kinds: list[OpenWindows], block_rows: int
) -> Iterator[tuple[pa.Table, bool]]:
    """Panes in blocks, and whether it is the last. A block is at least as large as what is held of those before, which
    is gone over again.
    """
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        if sum(map(len, waiting)) > max(block_rows, *map(len, kinds)):
            yield pa.Table.from_batches(waiting), False
            waiting = []
        waiting.append(batch)
    if waiting:
        yield pa.Table.from_batches(waiting), True


def _seconds(panes: pa.Table | pa.RecordBatch) -> np.ndarray:
    seconds: np.ndarray = panes["pane_start"].cast(pa.int64()).to_numpy() // 1_000_000
    return seconds
