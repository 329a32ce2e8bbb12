"""Tables of versions are brought up to date: changes that have come since the last publish meet all versions of their
keys, and what differs is merged into the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.changes import row_states, version_rows
from jobs.answers.changes.change_order import CLEARED, ChangeOrder
from jobs.answers.changes.moved_values import with_moved_values
from jobs.answers.changes.version_rows import Timeline
from jobs.answers.result import Result
from jobs.answers.versions import VALID_TO, Versions
from jobs.lake import commits, table_queries
from jobs.publishing import event_difference, key_rows, row_writing
from jobs.publishing.deleted_keys import DeletedKeys
from jobs.running.instants import to_micros
from jobs.running.places import Places


@dataclass(frozen=True)
class _Stored:
    """What the tables have of the keys that a publish looks at."""

    rows: pa.Table
    """With `revision` and `updated_time`."""
    deletions: pa.Table


@dataclass(frozen=True)
class Plan:
    """What a publish finds and makes of the keys that it looks at."""

    stored: _Stored
    before: Timeline
    now: Timeline
    order: ChangeOrder
    deleted: DeletedKeys


def plan(
    places: Places, result: Result, answer: Versions, new: pa.Table, versions: Mapping[str, int] | None = None
) -> Plan:
    """What `new` changes make of the table of `answer` as it is, or was at these versions of Delta's by table name."""
    table, deleted_table = result.answer_table(answer), result.deleted_table(answer)
    at = versions or {}
    deleted = DeletedKeys.at(places.table(deleted_table), answer, at.get(deleted_table))
    order, changed = deleted.order.after(new), row_states.of_rows(new)
    rows = DeltaTable(places.table(table), version=at.get(table))
    stored = _stored_rows(rows, deleted, order, changed, answer.key)
    before = Timeline(stored.rows.drop_columns(row_writing.OWN), stored.deletions)
    changed = with_moved_values(changed, before.versions, answer.key, order)
    now = version_rows.timeline(before, changed, answer.key, answer.valid_from, order)
    return Plan(stored, before, now, order, deleted)


def update(places: Places, result: Result, answer: Versions, new: pa.Table, commit: commits.Commit) -> pa.Table | None:
    """Bring the table of `answer` up to `new` changes; returns what has changed in it, for a feed."""
    made = plan(places, result, answer, new)
    changes = event_difference.compare(made.before.versions, made.now.versions, answer.row_key)
    path = places.table(result.answer_table(answer))
    written = row_writing.merge(path, changes, made.stored.rows, answer.row_key, commit)
    made.deleted.update(made.stored.deletions, made.now.deletions, made.order, commit)
    return written


def _stored_rows(
    table: DeltaTable, deleted: DeletedKeys, order: ChangeOrder, changed: pa.Table, key: tuple[str, ...]
) -> _Stored:
    """What there is of the keys of these changes, and of those whose versions a snapshot or a TRUNCATE may end."""
    rows = key_rows.read(table, changed, key)
    deletions = deleted.of_keys(changed)
    known = {tuple(mark.values()) for mark in _clears(deleted.order)}
    times = [to_micros(mark["change_time"]) for mark in _clears(order) if tuple(mark.values()) not in known]
    if not times:
        return _Stored(rows, deletions)
    valid = table_queries.rows_where(table, f"{VALID_TO} is null or {VALID_TO} > {table_queries.literal(min(times))}")
    others = valid.filter(pa.array(event_difference.places_among(valid, changed, key) < 0))
    all_others = key_rows.read(table, others, key) if len(others) else others
    return _Stored(
        pa.concat_tables([rows, all_others.cast(rows.schema)]),
        pa.concat_tables([deletions, deleted.of_keys(others)]),
    )


def _clears(order: ChangeOrder) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = order.marks.filter(pc.equal(order.marks["change_op"], CLEARED)).to_pylist()
    return found
