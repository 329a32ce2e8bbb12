"""Partial panes out of their table, piece by piece in order of time, so that memory does not grow with their number."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.windows import Window
from jobs.lake import table_queries
from jobs.publishing import near_panes
from jobs.publishing.near_panes import NearPanes, TooMuch
from jobs.running.instants import sql_literal

MOST_FILE_BYTES = 512 * 2**20
"""Most bytes of files that are read."""
MOST_PANES = 5_000_000
"""Most partial panes that are read: their windows take a minute or so."""
MOST_READS = 4
"""A file is read once for each piece that has panes of it: all files together at most so often as MOST_PANES allows."""
PIECE_SIZES = (1, 2, 4)
"""Where panes of one time are spread over many files, pieces may be so many times as large, so that they are fewer."""
_TIME = pa.timestamp("us", "UTC")
_CUT = pa.scalar(timedelta(milliseconds=1))
"""Statistics of Spark are cut to milliseconds."""
_STATISTICS = ("min.pane_start", "max.pane_start", "max.sequence", "num_records")


def near(path: str, kinds: tuple[Window, ...], since_sequence: int, among: str = "true") -> NearPanes | None:
    """Panes written after `since_sequence`, and all that may share a window with one; None if none was written. Of all
    those `among` which this SQL says.

    Raises TooMuch if they are too many to be read here.
    """
    table = DeltaTable(path)
    files = pa.table(table.get_add_actions(flatten=True))
    if not len(files):
        return None
    if any(name not in files.column_names or files[name].null_count for name in _STATISTICS):
        raise TooMuch
    sql = (
        f"select min(pane_start) as low, max(pane_start) as high from it where sequence > {since_sequence} and {among}"
    )
    new = table_queries.query(table, sql).cast(pa.schema([("low", _TIME), ("high", _TIME)])).to_pylist()[0]
    if new["low"] is None:
        return None
    first = near_panes.first_sharing(kinds, new["low"])
    latest = pc.add(files["max.pane_start"].cast(_TIME), _CUT)
    needed = files.filter(pc.greater_equal(latest, pa.scalar(first, _TIME)))
    last, rows = pc.max(needed["max.pane_start"].cast(_TIME)).as_py(), pc.sum(needed["num_records"]).as_py()
    if rows > MOST_PANES or pc.sum(needed["size_bytes"]).as_py() > MOST_FILE_BYTES:
        raise TooMuch
    starts = [first, *_later_starts(needed, first)]

    def read(names: tuple[str, ...] | None) -> Iterator[pa.RecordBatch]:
        for start, end in zip_longest(starts, starts[1:]):
            yield from _piece(table, names, start, end, among)

    return NearPanes(first, last, new["low"], new["high"], rows, read)


def between(table: DeltaTable, first: str, after: str) -> Iterator[pa.RecordBatch]:
    """The panes that start in [first, after), SQL literals of instants, piece by piece in order of time."""
    where = f"pane_start >= {first} and pane_start < {after}"
    sql = f"select pane_start, count(*) as rows from it where {where} group by pane_start order by pane_start"
    counts = table_queries.query(table, sql)
    numbers = np.cumsum(counts["rows"].to_numpy()) // near_panes.PIECE_ROWS
    micros = counts["pane_start"].cast(pa.int64()).to_numpy()
    for number in np.unique(numbers):
        low, high = (table_queries.literal(int(each)) for each in micros[numbers == number][[0, -1]])
        rows = table_queries.rows_where(table, f"pane_start >= {low} and pane_start <= {high}")
        yield from rows.sort_by([("pane_start", "ascending"), ("sequence", "ascending")]).combine_chunks().to_batches()


def _later_starts(files: pa.Table, first: datetime) -> list[datetime]:
    """Where pieces begin, but for the first one: as if the panes of a file were spread evenly over its time.

    Raises TooMuch if files would be read too often.
    """
    low, high = (files[name].cast(_TIME).cast(pa.int64()).to_numpy() // 1_000_000 for name in _STATISTICS[:2])
    rows = files["num_records"].cast(pa.int64()).to_numpy()
    sizes = np.maximum(rows / near_panes.PIECE_ROWS, files["size_bytes"].to_numpy() / near_panes.PIECE_BYTES)
    begins = np.maximum(low, int(first.timestamp()))
    ends = np.maximum(high, begins) + 1
    edges = np.unique(np.concatenate([begins, ends]))
    shares = sizes * (ends - begins) / (np.maximum(high, low) + 1 - np.minimum(low, begins))
    filled = sum(share * np.interp(edges, span, (0, 1)) for share, *span in zip(shares, begins, ends, strict=True))
    for size in PIECE_SIZES:
        pieces = int(np.ceil(filled[-1] / size))
        bounds = np.unique(np.interp(np.arange(1, pieces) * size, filled, edges).astype(np.int64))
        times_read = np.searchsorted(bounds, ends) - np.searchsorted(bounds, begins, side="right") + 1
        if (rows * times_read).sum() <= MOST_READS * MOST_PANES:
            return [datetime.fromtimestamp(second, UTC) for second in bounds.tolist()]
    raise TooMuch


def _piece(
    table: DeltaTable, names: tuple[str, ...] | None, start: datetime, end: datetime | None, among: str
) -> Iterator[pa.RecordBatch]:
    """The panes that start in [start, end), as one batch; of nothing none.

    With all columns they are in order of time: the bytes of a small sketch show in which order it was merged.
    """
    kinds = pa.schema(table.schema().to_arrow())
    columns = pa.schema([kinds.field(name) for name in names or kinds.names])
    selected = ", ".join(f'"{name}"' for name in columns.names)
    before = f" and pane_start < {sql_literal(end)}" if end else ""
    rows = table_queries.query(
        table, f"select {selected} from it where pane_start >= {sql_literal(start)}{before} and {among}"
    )
    if names is None:
        rows = rows.sort_by([("pane_start", "ascending"), ("sequence", "ascending")])
    yield from rows.combine_chunks().to_batches()
