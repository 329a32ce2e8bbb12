"""Few changed windows are upserted in this process: rows of a span of time are replaced by corrected ones."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder

from jobs.answers import merging
from jobs.answers.result import Result
from jobs.answers.windows import KEYS
from jobs.facts import partials
from jobs.lake import commits, delta_tables, table_queries
from jobs.running.instants import sql_literal

MOST_WINDOWS = 500_000
"""Most windows that are upserted here; more are left to Spark."""
TARGET_FILE_BYTES = 4 * 2**20
"""To correct a window its whole file is written again. So files are small: windows that are no longer corrected are
in files of their own, which stay as they are."""
_OURS = ("revision", "updated_time")
"""Columns that are not merged from panes."""


def upsert_windows(path: str, result: Result, near: pa.Table, since_sequence: int, commit: commits.Commit) -> bool:
    """Upsert the windows of the panes `near` (PaneCache.panes_to_publish): new windows get revision 1, those that count
    more records than before their next revision. Returns False if they are too many; then nothing is written.
    """
    panes, windows = result.panes, result.windows
    assert panes
    if not len(near):
        return True
    too_many = merging.window_count(near, panes, windows) > MOST_WINDOWS
    if too_many or near["pane_start"][-1].as_py() > table_queries.LAST_LITERAL:
        return False
    table = DeltaTable(path)
    columns = pa.schema(table.schema().to_arrow())
    target = pa.schema([field for field in columns if field.name not in _OURS])
    batches = merging.window_batches(iter(near.to_batches()), panes, windows, target, since_sequence)
    changed = pa.Table.from_batches(batches, target)
    if not len(changed):
        return True
    where = _spans(changed)
    query = QueryBuilder().register("it", table)
    if pa.table(query.execute(f"select count(*) as n from it where {where}").read_all())["n"][0].as_py() > MOST_WINDOWS:
        return False
    old = pa.table(query.execute(f"select * from it where {where}").read_all()).cast(columns)
    rows = _corrected_rows(changed, old, (*KEYS, *panes.by), panes.count)
    delta_tables.replace(rows.sort_by("window_start"), path, where, commit, TARGET_FILE_BYTES)
    return True


def _spans(changed: pa.Table) -> str:
    """SQL that holds for these windows, and for all others of their kinds in the same spans of time."""
    spans = changed.group_by("window").aggregate([("window_start", "min"), ("window_start", "max")])
    return " or ".join(
        f"(\"window\" = '{kind['window']}' and window_start >= {sql_literal(kind['window_start_min'])} "
        f"and window_start <= {sql_literal(kind['window_start_max'])})"
        for kind in spans.to_pylist()
    )


def _corrected_rows(changed: pa.Table, old: pa.Table, keys: tuple[str, ...], count: str) -> pa.Table:
    """The old rows, but for those that have changed, and the `changed` windows that count more records, or are new."""
    codes = partials.group_keys(pa.concat_tables([changed.select(keys), old.select(keys)]), keys)
    found = pc.index_in(pa.array(codes[: len(changed)]), pa.array(codes[len(changed) :]))
    at = found.fill_null(-1).to_numpy(zero_copy_only=False)
    known = at >= 0
    before = np.where(known, _numbers(old, "revision", at), 0)
    # Panes are only ever added, so a window has changed exactly if it counts more records.
    is_corrected = ~known | (_numbers(old, count, at) != changed[count].to_numpy())
    stays = np.ones(len(old), bool)
    stays[at[known & is_corrected]] = False
    changed = changed.append_column("revision", pa.array(before + 1, old.schema.field("revision").type))
    now = pa.repeat(pa.scalar(datetime.now(UTC), old.schema.field("updated_time").type), len(changed))
    changed = changed.append_column("updated_time", now).filter(pa.array(is_corrected))
    return pa.concat_tables([old.filter(pa.array(stays)), changed.select(old.column_names)])


def _numbers(old: pa.Table, name: str, at: np.ndarray) -> np.ndarray:
    """A column of the old rows at these places; where the place is -1, a number without a meaning."""
    values: np.ndarray = np.append(old[name].to_numpy(), 0)[at]
    return values
