"""Partial panes into windows: what a window holds is the merge of its panes, never a second pass over events."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    BinaryType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers import windows
from jobs.answers.windows import Hopping, Window
from jobs.events import equality
from jobs.facts import partials
from jobs.facts.panes import Panes
from jobs.facts.partials import Part

BLOCK_ROWS = 200_000
"""So many panes are waited for before windows are made of them: it bounds the memory of a task."""


def output(kinds: StructType, panes: Panes) -> StructType:
    """The columns of windows: windows.KEYS, the groups, and those of partials.finish. `kinds`: of partial panes."""
    fields: list[tuple[str, DataType]] = [("window", StringType())]
    fields += [("window_start", TimestampType()), ("window_end", TimestampType())]
    fields += [(name, kinds[name].dataType) for name in panes.by]
    fields.append((panes.count, LongType()))
    for name in panes.averages:
        fields += [(f"{name}_mean", DoubleType())]
        fields += [(f"{name}_{end}", kinds[f"{name}_{end}"].dataType) for end in ("min", "max")]
    for name in panes.uniques:
        fields += [(f"{name}_estimate", LongType()), (f"{name}_standard_error", DoubleType())]
        fields.append((f"{name}_sketch", BinaryType()))
    fields += [(f"{name}_count", LongType()) for name in panes.counts]
    if panes.uniques:
        fields.append(("lg_k", IntegerType()))
    return StructType([StructField(name, kind) for name, kind in fields])


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
        order, begins = partials.group(groups, starts)
        rows = order[begins]
        if isinstance(window, Hopping):
            hops, same = starts[rows] // window.hop_seconds, np.diff(groups[rows]) == 0
            found += int(np.where(same, np.minimum(np.diff(hops), window.depth), window.depth).sum()) + window.depth
        else:
            found += len(rows)
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
    uniques = window.uniques and bool(panes.uniques)
    table = equality.normalise_columns(table, panes.by)  # panes of an earlier version may have both zeros
    columns = partials.parts(table, panes, uniques)
    changed = np.ones(len(table), bool) if since is None else table["sequence"].to_numpy() > since
    columns["changed"] = Part(changed, np.logical_or, False, pa.bool_())
    starts, groups = window.starts(_seconds(table)), partials.codes(table, panes.by)
    order, begins = partials.group(groups, starts)
    columns = {name: part.take(order).grouped(begins) for name, part in columns.items()}
    rows = order[begins]
    starts, groups = starts[rows], groups[rows]
    if isinstance(window, Hopping):
        rows, starts, columns = _hopped(window, groups, starts, rows, columns)
    wanted = np.flatnonzero(columns["changed"].values & (starts >= span[0]) & (starts < span[1]))
    if not len(wanted):
        return
    columns = {name: part.take(wanted) for name, part in columns.items()}
    rows, starts = rows[wanted], starts[wanted]
    made = {"window": pa.repeat(window.name, len(rows))}
    made |= {"window_start": _times(starts), "window_end": _times(window.ends(starts))}
    made |= {name: pc.take(table[name], pa.array(rows)).combine_chunks() for name in panes.by}
    made |= partials.finish(columns, panes, uniques)
    arrays = [made[field.name].cast(field.type) for field in target]
    yield from pa.Table.from_arrays(arrays, schema=target).to_batches(10_000)


def _hopped(
    window: Hopping, groups: np.ndarray, starts: np.ndarray, rows: np.ndarray, columns: dict[str, Part]
) -> tuple[np.ndarray, np.ndarray, dict[str, Part]]:
    """From hops, in order of group and time, to windows: a row of each one's group, its start, its columns.

    Hops that share a window make a run. A run is laid out with one place for each of its windows: depth - 1 empty
    places, then its hops. The window at a place holds the hops there and at the depth - 1 places behind it.
    """
    depth, hops = window.depth, starts // window.hop_seconds
    opens = np.append(True, (groups[1:] != groups[:-1]) | (hops[1:] - hops[:-1] > depth))
    run = np.cumsum(opens) - 1
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(hops)) - 1
    lengths = hops[last] - hops[first] + depth
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = offsets[run] + hops - hops[first][run] + depth - 1
    windows_ = int(offsets[-1])

    def laid_out(part: Part) -> Part:
        values = np.full(windows_ + depth - 1, part.nothing, part.values.dtype)
        values[places] = part.values
        return part.of(values).slid(depth)

    begun = np.repeat(hops[first] - depth + 1 - offsets[:-1], lengths) + np.arange(windows_)
    slid = {name: laid_out(part) for name, part in columns.items()}
    return np.repeat(rows[first], lengths), begun * window.hop_seconds, slid


def _times(seconds: np.ndarray) -> pa.Array:
    return pa.array(seconds * 1_000_000, pa.timestamp("us", tz="UTC"))
