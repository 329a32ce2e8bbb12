"""DuckDB in this process. It sees the tables it is given, and neither files, the network nor Python's variables."""

import json
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from jobs.running.errors import Mistake

MEMORY = "1GB"
"""What DuckDB may hold beside the tables; what is more goes to the spill folder."""
_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "python_enable_replacements": "false",
    "python_scan_all_frames": "false",
    "threads": "2",
    "memory_limit": MEMORY,
}


class Engine:
    """A database in memory. To be used in `with`, which forgets it afterwards."""

    def __init__(self, owner: str, spill: str = "") -> None:
        """`owner`: whose SQL runs, for messages. `spill`: folder for what does not fit into memory; "": nothing may."""
        self._owner = owner
        self._connection = duckdb.connect(":memory:", config=_SETTINGS | {"temp_directory": spill})
        self._connection.execute("set TimeZone = 'UTC'")
        self._connection.execute("set lock_configuration = true")

    def __enter__(self) -> "Engine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def register(self, tables: Mapping[str, pa.Table]) -> None:
        """Let the SQL see these tables, by name."""
        for name, rows in tables.items():
            self._connection.register(name, rows)

    def create(self, name: str, columns: pa.Schema) -> None:
        """Make an empty table."""
        self._connection.register("__columns", columns.empty_table())
        self._connection.execute(f"create table {quote(name)} as from __columns")
        self._connection.unregister("__columns")

    def define(self, name: str, sql: str) -> None:
        """Let `name` stand for the rows of this SQL."""
        self._connection.execute(f"create temp view {quote(name)} as {sql}")

    def plan(self, sql: str) -> Any:
        """The plan of one SELECT as DuckDB understands it, in the form of its json_serialize_plan. Raises Mistake if it
        is none, or DuckDB does not understand it.
        """
        try:
            kinds = [statement.type for statement in self._connection.extract_statements(sql)]
            if kinds != [duckdb.StatementType.SELECT]:
                raise Mistake(
                    f"{self._owner}: its SQL must be one SELECT and nothing else. A PIVOT is written as filters"
                )
            found = self._connection.execute("select json_serialize_plan(?, optimize := false)", [sql]).fetchall()
        except duckdb.Error as error:
            raise Mistake(f"{self._owner}: {one_line(str(error))}") from None
        plan = json.loads(found[0][0])
        if plan.get("error"):
            raise Mistake(f"{self._owner}: its SQL is not understood: {one_line(plan['error_message'])}")
        return plan["plans"]

    def unstable_functions(self) -> frozenset[str]:
        """The functions of DuckDB whose value is another one at another call, or in another query."""
        sql = "select function_name from duckdb_functions() where stability <> 'CONSISTENT'"
        return frozenset(self.rows(sql)["function_name"].to_pylist())

    def kinds(self, table: str) -> dict[str, str]:
        """The types of the columns of a table, as they stand in SQL."""
        found = self._connection.table(quote(table))
        return dict(zip(found.columns, map(str, found.types), strict=True))

    def names(self, sql: str) -> list[str]:
        """The names of the columns that this SELECT, which DuckDB understands, gives."""
        return list(self._connection.sql(sql).columns)

    def rows(self, sql: str) -> pa.Table:
        """The answer. Raises Mistake if a row does not fit the SQL; what is in the row is not said."""
        try:
            return self._connection.sql(sql).to_arrow_table()
        except duckdb.OutOfMemoryException:
            raise Mistake(
                f"{self._owner}: its SQL needs more than {MEMORY} of memory, and the disk has no room for it. Free "
                "some where temporary files go (TMPDIR), or let the SQL join and sort less"
            ) from None
        except duckdb.Error as error:
            kind = type(error).__name__.removesuffix("Exception")
            is_of_a_row = isinstance(error, (duckdb.DataError, duckdb.InvalidInputException))
            why = (
                "fails on a row: a value does not convert, or a number is too large. Let it leave such rows out, or "
                "use try_cast"
                if is_of_a_row
                else "cannot be computed. Try it in DuckDB over the same tables"
            )
            raise Mistake(f"{self._owner}: its SQL {why} ({kind} error of DuckDB)") from None


def one_line(message: str) -> str:
    """What an error of DuckDB says about SQL, without the picture of where."""
    said_first = message.split("\n\nLINE ")[0]
    return re.sub(r"!?\s*\n\s*", ". ", said_first.strip())


def quote(name: str) -> str:
    """The name of a column or table as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'
