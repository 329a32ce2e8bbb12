"""Tables of latest rows are brought up to date: changes that have come since the last publish meet the stored rows of
their keys, and what differs is merged into the table.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.changes import row_states
from jobs.answers.changes.change_order import ChangeOrder
from jobs.answers.changes.moved_values import with_moved_values
from jobs.answers.latest import Latest
from jobs.answers.result import Result
from jobs.lake import commits, table_queries
from jobs.publishing import event_difference, key_rows, row_writing
from jobs.publishing.deleted_keys import DeletedKeys
from jobs.publishing.event_difference import CHANGE, WITHDRAWN
from jobs.running.places import Places


@dataclass(frozen=True)
class Publication:
    """What a publish has done to one table."""

    changes: pa.Table | None
    """For a feed."""
    before: pa.Table
    """The changed and removed rows as they were, in the columns of the answer."""
    cleared: int
    """How many rows a TRUNCATE or a snapshot has removed, and no change of their own."""


def update(places: Places, result: Result, answer: Latest, new: pa.Table, commit: commits.Commit) -> Publication:
    """Bring the table of `answer` up to `new` changes, in order of offset."""
    path, key = places.table(result.answer_table(answer)), answer.key
    rows, deleted = DeltaTable(path), DeletedKeys.at(places.table(result.deleted_table(answer)), answer)
    order, changed = deleted.order.after(new), row_states.of_rows(new)
    had = key_rows.read(rows, changed, key)
    before = had.drop_columns(row_writing.OWN)
    changed = with_moved_values(changed, before, key, order)
    gone = deleted.of_keys(changed)
    known = pa.concat_tables([before, row_states.with_columns(gone, before.schema)])
    states = row_states.newest(known, changed, key, order)
    is_live = pc.and_(pc.invert(row_states.is_deleted(states)), pa.array(~order.is_cleared(states)))
    changes = event_difference.compare(before, states.filter(is_live), key)
    cleared = had.slice(0, 0) if order.floors == deleted.order.floors else _cleared_rows(rows, order, had, key)
    withdrawn = cleared.drop_columns(row_writing.OWN).append_column(CHANGE, pa.repeat(WITHDRAWN, len(cleared)))
    changes = pa.concat_tables([changes, withdrawn.cast(changes.schema)])
    written = row_writing.merge(path, changes, pa.concat_tables([had, cleared]), key, commit)
    deleted.update(gone, states.filter(row_states.is_deleted(states)), order, commit)
    were = pa.concat_tables([had, cleared]).drop_columns(row_writing.OWN)
    return Publication(
        written, were.filter(pa.array(event_difference.places_among(were, changes, key) >= 0)), len(cleared)
    )


def _cleared_rows(rows: DeltaTable, order: ChangeOrder, had: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The rows whose table was cleared, but for those that the publish `had` looked at."""
    last = max(commit for commit, _ in order.floors.values())
    found = table_queries.rows_where(rows, f"change_commit is null or change_commit <= {last}")
    cleared = found.filter(pa.array(order.is_cleared(found)))
    return cleared.filter(pa.array(event_difference.places_among(cleared, had, key) < 0))
