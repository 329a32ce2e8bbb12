"""Is a table of latest rows that of the database, at one place of the database's log?

Each round reads the table in one snapshot, and the rows that the result has published then. Equal is equal. A row that
differs may be on its way: so all that the database had committed is waited for, and the next round has to find the same
difference. One that goes away, or becomes another, was a change on its way.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from jobs.admin.database import row_groups, slots, table_rows
from jobs.admin.database.arrival import Arrival
from jobs.admin.database.row_groups import Difference, GroupTotals
from jobs.admin.database.table_rows import ComparedColumns
from jobs.answers.result import Result
from jobs.keeping import ledger
from jobs.running.errors import Refused
from jobs.running.places import Places

if TYPE_CHECKING:
    import psycopg

MOST_ROUNDS = 20


@dataclass(frozen=True)
class Verification:
    """What came of it."""

    lsn: int
    """Of the last snapshot."""
    rows: int
    """Of the table in the database."""
    differences: tuple[Difference, ...]
    """That two rounds have found, the second of them after all of the first had arrived."""
    on_their_way: int
    """Keys that differed in the last round, and otherwise or not at all in the one before."""
    unread_groups: int
    """Groups of keys that differ, and whose rows were not looked at one by one."""
    left_out: tuple[str, ...]
    """Columns that were not compared, and why."""
    lacks: str | None
    """What has not arrived in time, so that differences may be changes on their way."""


@dataclass(frozen=True)
class _Round:
    lsn: int
    rows: int
    differences: tuple[Difference, ...]
    unread_groups: int
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Comparison:
    """What is compared."""

    places: Places
    result: Result
    table_name: str
    """Of the latest rows, a table of the result."""
    key: tuple[str, ...]
    """In the database."""
    columns: tuple[str, ...]
    """Of the rows in the database, as the schema file has them."""
    source: str | None
    """change_source of the rows; None: all are of one database."""
    table: str
    """In the database."""

    def run(
        self, connection: "psycopg.Connection[Any]", arrival: Arrival, seconds: float, say: Callable[[str], None]
    ) -> Verification:
        """Compare until it is decided; changes on their way are waited for so many seconds in all.

        Raises Refused if the result has published nothing, or there is no such table.
        """
        until, lacks = time.monotonic() + seconds, None
        last = self._round(connection)
        confirmed, moving = set[Difference](), set(last.differences)
        for _ in range(MOST_ROUNDS):
            if not moving or lacks:
                break
            say(
                f"{len(moving)} rows differ: for changes on their way it waits {max(0, until - time.monotonic()):.0f} s"
            )
            lacks = arrival.wait(connection, last.lsn, until, say)
            before, last = set(last.differences), self._round(connection)
            confirmed = before & set(last.differences)
            moving = set(last.differences) - confirmed
            if time.monotonic() > until:
                break
        found = tuple(one for one in last.differences if one in confirmed)
        return Verification(last.lsn, last.rows, found, len(moving), last.unread_groups, last.left_out, lacks)

    def _round(self, connection: "psycopg.Connection[Any]") -> _Round:
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read, read only")
            [[lsn]] = connection.execute(f"select (({slots.LSN}) - '0/0'::pg_lsn)::bigint".encode())
            path, version = self._published_table()
            compared = table_rows.compared_columns(connection, self.table, self.key, self._columns(path, version))
            ours, theirs = GroupTotals(), GroupTotals()
            for rows in table_rows.of_result(path, version, self.source, compared):
                ours.add(rows, compared.key_columns)
            for rows in table_rows.of_database(connection, self.table, compared):
                theirs.add(rows, compared.key_columns)
            unlike = ours.unlike(theirs)
            groups = row_groups.first_groups(unlike, ours, theirs)
            if not len(groups):
                return _Round(lsn, int(theirs.counts.sum()), (), 0, compared.left_out)
            database = _of_groups(table_rows.of_database(connection, self.table, compared), groups, compared)
            found = row_groups.differences(
                database,
                _of_groups(table_rows.of_result(path, version, self.source, compared), groups, compared),
                compared.key_columns,
            )
        return _Round(lsn, int(theirs.counts.sum()), tuple(found), len(unlike) - len(groups), compared.left_out)

    def _published_table(self) -> tuple[str, int]:
        last = ledger.last(self.places, self.result.name)
        if last is None or self.table_name not in last.tables:
            raise Refused(f"{self.result.name} has published nothing yet: run its job.")
        return self.places.table(self.table_name), int(last.tables[self.table_name]["version"])

    def _columns(self, path: str, version: int) -> pa.Schema:
        stored = pa.schema(DeltaTable(path, version=version).schema().to_arrow())
        return pa.schema([field for field in stored if field.name in self.columns])


def _of_groups(rows: Iterable[pa.Table], groups: np.ndarray, compared: ComparedColumns) -> pa.Table:
    empty = pa.table({name: pa.array([], pa.string()) for name in compared.names})
    found = [
        block.filter(pa.array(np.isin(row_groups.groups_of(block, compared.key_columns), groups))) for block in rows
    ]
    return pa.concat_tables([empty, *found]).combine_chunks()
