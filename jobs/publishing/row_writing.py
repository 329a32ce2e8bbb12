"""The changes of an answer's rows into its table, in one commit."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.changes.change_order import NULLABLE
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing.event_difference import CHANGE, NEW, REVISED, WITHDRAWN, places_among
from jobs.running.instants import sql_literal

OWN = ["revision", "updated_time"]
"""Columns that are written here, and are none of the answer."""
MOST_SPANS = 100
"""Rows are replaced in at most so many spans of time: more make a predicate that takes long to read."""
TARGET_FILE_BYTES = 4 * 2**20
"""To correct a row its whole file is written again. So files are small."""
_TIME = pa.timestamp("us", "UTC")
_CUT_MICROS = 1_000
"""Statistics in Delta's log may be cut to milliseconds."""


def write(path: str, changes: pa.Table, key: tuple[str, ...], time: str, commit: commits.Commit) -> pa.Table | None:
    """Append the new rows, put the revised ones in the place of those of their key, and remove the withdrawn ones. A
    new row gets revision 1, a revised or withdrawn one the next. `time`: the column of instants by which rows lie in
    files. Returns the changes with their revisions, for a feed; None if there are none.
    """
    if not len(changes):
        return None
    now = datetime.now(UTC)
    is_new = pc.equal(changes[CHANGE], NEW)
    new, others = changes.filter(is_new), changes.filter(pc.invert(is_new))
    if not len(others):
        rows = _with_revisions(new, np.ones(len(new), np.int64), now).sort_by(time)
        delta_tables.append(rows, path, commit, {})
        return _with_change(rows, NEW)
    where = spans(time, others[time].cast(pa.int64()).to_numpy())
    table = DeltaTable(path)
    now = _unused_time(table, now)
    columns = pa.schema(table.schema().to_arrow())
    old = table_queries.rows_where(table, where)
    at = places_among(others, old, key)
    revisions = _next_revisions(old, at)
    stays = np.ones(len(old), bool)
    stays[at[at >= 0]] = False
    is_revised = pc.not_equal(others[CHANGE], WITHDRAWN)
    revised = _with_revisions(others.filter(is_revised), revisions[is_revised.to_numpy()], now)
    new = _with_revisions(new, np.ones(len(new), np.int64), now)
    parts = [old.filter(pa.array(stays)), revised, new]
    rows = pa.concat_tables([part.select(columns.names).cast(columns) for part in parts]).sort_by(time)
    # New rows lie outside of these spans. What they have in common, and with no stored row, is `now`.
    where = f"{where} or updated_time = {sql_literal(now)}"
    delta_tables.replace(rows, path, where, commit, TARGET_FILE_BYTES)
    withdrawn = _with_revisions(others.filter(pc.invert(is_revised)), revisions[~is_revised.to_numpy()], now)
    return pa.concat_tables(
        [_with_change(new, NEW), _with_change(revised, REVISED), _with_change(withdrawn, WITHDRAWN)]
    )


def merge(path: str, changes: pa.Table, had: pa.Table, key: tuple[str, ...], commit: commits.Commit) -> pa.Table | None:
    """As `write`, for rows that lie in files in no order of time: they are found by their key. `had`: the stored rows
    of the revised and withdrawn ones, with `revision`.
    """
    if not len(changes):
        return None
    rows = _with_next_revisions(changes, had, key)
    is_gone = pc.equal(changes[CHANGE], WITHDRAWN)
    upserted, removed = (rows.filter(which).drop_columns([CHANGE]) for which in (pc.invert(is_gone), is_gone))
    delta_tables.merge_rows(upserted, removed, path, key, commit, NULLABLE)
    return rows


def rewrite(
    path: str, changes: pa.Table, had: pa.Table, key: tuple[str, ...], commit: commits.Commit
) -> pa.Table | None:
    """As `merge`, for a table that fits into memory, whose key is never null: all of it is written again, which costs
    half as much as Delta's merge does where most files have a changed row and a row is short, as in a view. Of rows of
    ten columns with texts it costs as much or more: 1.5 CPU-seconds for 1,000,000, and merging 100,000 into them 1.3.
    """
    if not len(changes):
        return None
    rows = _with_next_revisions(changes, had, key)
    stored = table_queries.rows(DeltaTable(path))
    stays = stored.filter(pa.array(places_among(stored, rows, key) < 0))
    others = rows.filter(pc.not_equal(rows[CHANGE], WITHDRAWN)).select(stays.column_names).cast(stays.schema)
    delta_tables.overwrite(pa.concat_tables([stays, others]), path, commit, TARGET_FILE_BYTES)
    return rows


def files_to_rewrite(table: DeltaTable, time: str, micros: np.ndarray) -> pa.Table:
    """The files, as Delta's log names them, that `write` would write anew to revise rows with these instants, in
    microseconds since 1970: by their statistics, so at most these.
    """
    files = pa.table(table.get_add_actions(flatten=True))
    names = (f"min.{time}", f"max.{time}")
    if not len(files) or not len(micros) or any(name not in files.column_names for name in names):
        return files.slice(0, len(files) if len(micros) else 0)
    lows, highs = (files[name].cast(_TIME).cast(pa.int64()).to_numpy() for name in names)
    firsts, lasts = _bounds(micros)
    # The first span that ends at the file's first instant or later, if there is one, must begin before its last.
    at = np.searchsorted(lasts, lows - _CUT_MICROS)
    is_met = (at < len(lasts)) & (np.append(firsts, 0)[at] <= highs + _CUT_MICROS)
    return files.filter(pa.array(is_met))


def _with_next_revisions(changes: pa.Table, had: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The changes, each with the revision after that of its stored row."""
    rows = _with_revisions(changes, _next_revisions(had, places_among(changes, had, key)), datetime.now(UTC))
    return rows.append_column(CHANGE, changes[CHANGE])


def _next_revisions(old: pa.Table, at: np.ndarray) -> np.ndarray:
    """The revision after that of the old row at each of these places; 1 at -1."""
    numbers: np.ndarray = np.append(old["revision"].to_numpy(), 0)[at] + 1
    return numbers


def _unused_time(table: DeltaTable, now: datetime) -> datetime:
    """`now`, or the first microsecond after it at which no row was written: a clock that was set back, or that stands,
    shows a moment again.
    """
    while table_queries.query(table, f"select 1 as n from it where updated_time = {sql_literal(now)} limit 1").num_rows:
        now += timedelta(microseconds=1)
    return now


def _with_change(rows: pa.Table, change: str) -> pa.Table:
    return rows.append_column(CHANGE, pa.repeat(change, len(rows)))


def _with_revisions(rows: pa.Table, revisions: np.ndarray, now: datetime) -> pa.Table:
    rows = rows.drop_columns([CHANGE]).append_column("revision", pa.array(revisions.astype(np.int32)))
    return rows.append_column("updated_time", pa.repeat(pa.scalar(now, _TIME), len(rows)))


def _bounds(micros: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first and the last instant of each span that `spans` names."""
    times = np.unique(micros)
    widest = np.sort(np.argsort(np.diff(times))[::-1][: MOST_SPANS - 1])
    return times[np.append(0, widest + 1)], times[np.append(widest, len(times) - 1)]


def spans(column: str, micros: np.ndarray) -> str:
    """SQL that holds for all rows with these instants in a column, in microseconds since 1970, and for few others."""
    pairs = zip(*(map(table_queries.literal, ends.tolist()) for ends in _bounds(micros)), strict=True)
    return "(" + " or ".join(f"({column} >= {first} and {column} <= {last})" for first, last in pairs) + ")"
