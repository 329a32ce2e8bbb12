"""Sessions are brought up to date: stored spells stand for all events before, so new ones are merged with those they
meet.

The table of spells has one row for each session, and those that batches have appended since. A publication merges them,
in both tables, each in one commit.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.answers.sessions import Sessions
from jobs.facts import spells
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import event_difference, row_writing
from jobs.publishing.event_difference import CHANGE, REVISED, Moment
from jobs.running.places import Places

SPAN_MICROS = 86_400_000_000
"""Sessions that new spells may meet are looked for day by day: a straggler of three days ago reads that day alone."""


def update(
    places: Places, result: Result, version: int, before: Moment, now: Moment, commit: commits.Commit
) -> dict[str, pa.Table | None]:
    """Bring the tables of spells and sessions from one moment to the other. `version`: of the table of spells. Returns
    by the name of the answer what has changed, for a feed.
    """
    sessions = result.sessions
    assert sessions
    path, rows_path = places.table(result.table("spells")), places.table(result.answer_table(sessions))
    stored = DeltaTable(path, version=version)
    new = table_queries.rows_where(stored, f"sequence > {before.sequence}")
    carried = _near(stored, new, sessions, before.sequence)
    merged = spells.merge(pa.concat_tables([carried, new]), sessions.spells)
    changes = event_difference.compare(
        sessions.rows(carried, before.complete_micros), sessions.rows(merged, now.complete_micros), sessions.key
    )
    turned = _finality_changes(rows_path, sessions, before, now)
    at = event_difference.places_among(turned, changes, sessions.key)
    changes = pa.concat_tables([changes, turned.filter(pa.array(at < 0)).cast(changes.schema)])
    written = row_writing.write(rows_path, changes, sessions.key, "session_start", commit)
    if len(new):
        merged = merged.drop_columns(["sequence"])
        merged = merged.append_column("sequence", pa.repeat(pa.scalar(commit.sequence, pa.int64()), len(merged)))
        _replace(path, stored, sessions.by, carried, merged, before.sequence, commit)
    return {sessions.name: written}


def _near(stored: DeltaTable, new: pa.Table, sessions: Sessions, since_sequence: int) -> pa.Table:
    """The stored sessions that new spells meet."""
    if not len(new):
        return new
    gap = sessions.spells.gap_micros
    starts, ends = (new[name].cast(pa.int64()).to_numpy() for name in spells.TIMES)
    parts = " or ".join(
        f"(end_time > {table_queries.literal(first - gap)} and start_time < {table_queries.literal(last + gap)})"
        for first, last in _spans(starts, ends, gap)
    )
    old = table_queries.rows_where(stored, f"sequence <= {since_sequence} and ({parts})")
    return old.filter(pa.array(spells.near(old, new, sessions.spells)))


def _spans(starts: np.ndarray, ends: np.ndarray, gap: int) -> Iterator[tuple[int, int]]:
    """What these spells cover, in spans that are at least SPAN_MICROS apart."""
    order = np.argsort(starts)
    starts, latest = starts[order], np.maximum.accumulate(ends[order])
    begins = np.flatnonzero(np.append(True, starts[1:] - latest[:-1] > 2 * gap + SPAN_MICROS))
    for first, after in zip(begins, np.append(begins[1:], len(starts)), strict=True):
        yield int(starts[first]), int(latest[after - 1])


def _finality_changes(path: str, sessions: Sessions, before: Moment, now: Moment) -> pa.Table:
    """The published sessions that become final between these moments, or no longer are, as changes."""
    low, high = sorted((before.complete_micros, now.complete_micros))
    table = DeltaTable(path)
    span = f"due_time > {table_queries.literal(low)} and due_time <= {table_queries.literal(high)}"
    rows = table_queries.rows_where(table, span if low < high else "false")
    rows = rows.drop_columns(["revision", "updated_time"])
    final = pc.less_equal(rows["due_time"].cast(pa.int64()), now.complete_micros)
    rows = rows.set_column(rows.schema.get_field_index("final"), "final", final)
    return rows.append_column(CHANGE, pa.repeat(REVISED, len(rows)))


def _replace(
    path: str,
    stored: DeltaTable,
    by: tuple[str, ...],
    carried: pa.Table,
    merged: pa.Table,
    since_sequence: int,
    commit: commits.Commit,
) -> None:
    """Put the merged spells in the place of the new ones, and of the stored sessions that they have met."""
    if not len(carried):
        delta_tables.replace(merged, path, f"sequence > {since_sequence}", commit)
        return
    where = row_writing.spans("start_time", carried["start_time"].cast(pa.int64()).to_numpy())
    there = table_queries.rows_where(stored, f"sequence <= {since_sequence} and {where}")
    stays = event_difference.places_among(there, carried, (*by, "start_time")) < 0
    rows = pa.concat_tables([there.filter(pa.array(stays)), merged.select(there.column_names).cast(there.schema)])
    delta_tables.replace(rows.sort_by("end_time"), path, f"{where} or sequence > {since_sequence}", commit)
