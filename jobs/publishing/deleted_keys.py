"""The table of deleted keys: where each was deleted in the log of the database, so that an older change that comes late
does not raise it. Rows without a key are marks: what change_order.py knows of the log.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.changes.change_answer import ChangeAnswer
from jobs.answers.changes.change_order import MARKS, NULLABLE, ChangeOrder
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import event_difference, key_rows
from jobs.publishing.event_difference import CHANGE, WITHDRAWN


@dataclass(frozen=True)
class DeletedKeys:
    """The table as it was when it was looked at."""

    table: DeltaTable
    path: str
    answer: ChangeAnswer
    order: ChangeOrder

    @classmethod
    def at(cls, path: str, answer: ChangeAnswer, version: int | None = None) -> "DeletedKeys":
        """The table at `path`, of this answer, as it is now, or was at a version of Delta's."""
        table = DeltaTable(path, version=version)
        marks = table_queries.rows_where(table, f'"{answer.key[0]}" is null').select(MARKS)
        return cls(table, path, answer, ChangeOrder(marks))

    def of_keys(self, changes: pa.Table) -> pa.Table:
        """The rows of the keys of these changes."""
        return key_rows.read(self.table, changes, self.answer.key)

    def update(self, had: pa.Table, deletions: pa.Table, order: ChangeOrder, commit: commits.Commit) -> None:
        """Bring the table up to date: it had these rows of some keys, and shall have these deletions of them."""
        names = [field.name for field in self.table.schema().fields]
        key = self.answer.deletion_key
        differs = event_difference.compare(had, deletions.select(names).cast(had.schema), key)
        is_gone = pc.equal(differs[CHANGE], WITHDRAWN)
        changed = differs.select(names)
        known = set(map(_values, self.order.marks.to_pylist()))
        marks = [mark for mark in order.marks.to_pylist() if _values(mark) not in known]
        added = pa.Table.from_pylist(marks, changed.schema)
        upserted = pa.concat_tables([changed.filter(pc.invert(is_gone)), added])
        delta_tables.merge_rows(upserted, changed.filter(is_gone), self.path, key, commit, NULLABLE)


def _values(mark: dict[str, object]) -> tuple[object, ...]:
    """What tells a mark from another: all but its time, which the rows of a snapshot may tell differently."""
    return tuple(value for name, value in mark.items() if name != "change_time")
