"""The table of deleted keys: where each was deleted in the log of the database, so that an older change that comes late
does not raise it. Rows without a key are marks: what change_order.py knows of the log.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers import row_states
from jobs.answers.change_order import MARKS, ChangeOrder
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import event_difference, key_rows
from jobs.publishing.event_difference import CHANGE, WITHDRAWN


@dataclass(frozen=True)
class DeletedKeys:
    """The table as it was when it was looked at."""

    table: DeltaTable
    path: str
    key: tuple[str, ...]
    order: ChangeOrder

    @classmethod
    def at(cls, path: str, key: tuple[str, ...]) -> "DeletedKeys":
        """The table at `path`."""
        table = DeltaTable(path)
        marks = table_queries.rows_where(table, f'"{key[0]}" is null').select(MARKS)
        return cls(table, path, key, ChangeOrder(marks))

    def of_keys(self, changes: pa.Table, columns: pa.Schema) -> pa.Table:
        """The deleted ones among the keys of these changes, as states with these columns."""
        found = key_rows.read(self.table, changes, self.key)
        for name in columns.names:
            if name not in found.column_names:
                found = found.append_column(name, pa.nulls(len(found), columns.field(name).type))
        return found.select(columns.names).cast(columns)

    def update(self, gone: pa.Table, states: pa.Table, order: ChangeOrder, commit: commits.Commit) -> None:
        """Bring the table up to date: `gone` had rows of it, `states` are of the same keys and others."""
        names = [field.name for field in self.table.schema().fields]
        differs = event_difference.compare(gone, states.filter(row_states.is_deleted(states)), self.key)
        is_gone = pc.equal(differs[CHANGE], WITHDRAWN)
        changed = differs.select(names)
        known = set(map(_values, self.order.marks.to_pylist()))
        marks = [mark for mark in order.marks.to_pylist() if _values(mark) not in known]
        added = pa.Table.from_pylist(marks, changed.schema)
        upserted = pa.concat_tables([changed.filter(pc.invert(is_gone)), added])
        delta_tables.merge_rows(upserted, changed.filter(is_gone), self.path, self.key, commit)


def _values(mark: dict[str, object]) -> tuple[object, ...]:
    """What tells a mark from another: all but its time, which the rows of a snapshot may tell differently."""
    return tuple(value for name, value in mark.items() if name != "change_time")
