"""The rows of a table in PostgreSQL, and those of a result, as texts in the same columns."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from pyarrow import csv

from jobs.admin.database import row_texts
from jobs.admin.database.row_texts import DatabaseColumn
from jobs.lake.table_queries import ONE_THREAD, text_literal
from jobs.running.errors import Refused

if TYPE_CHECKING:
    import psycopg

BLOCK_BYTES = 8 * 2**20
_COLUMNS = """
select a.attname, b.typname, b.typtype = 'e', case when b.typcategory = 'A' then e.typname end
from pg_attribute a join pg_type t on t.oid = a.atttypid
join pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), t.oid) left join pg_type e on e.oid = b.typelem
where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped order by a.attnum
"""


@dataclass(frozen=True)
class ComparedColumns:
    """The columns in which a table and a result are compared; those of the key come first."""

    columns: tuple[DatabaseColumn, ...]
    expressions: tuple[str, ...]
    key_columns: int
    left_out: tuple[str, ...]
    """Which are not compared, and why."""

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [column.name for column in self.columns]


def quoted_table(table: str) -> str:
    """SCHEMA.TABLE, or TABLE alone, as SQL."""
    return ".".join(map(_identifier, table.split(".", 1)))


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""').replace("\0", "") + '"'


def compared_columns(
    connection: "psycopg.Connection[Any]", table: str, key: tuple[str, ...], result: pa.Schema
) -> ComparedColumns:
    """Those that the table shares with the rows of a result. Raises Refused if there is no such table, or its key
    cannot be compared.
    """
    found = [DatabaseColumn(*row) for row in connection.execute(_COLUMNS, (quoted_table(table),))]
    if not found:
        raise Refused(f"the database has no table {table}, or this user may not see it: name another with --table.")
    there = {column.name: column for column in found}
    columns, expressions, left_out = [], [], []
    for name in (*key, *(name for name in result.names if name not in key)):
        form = name in there and row_texts.expression(there[name], _identifier(name), result.field(name).type)
        if form:
            columns.append(there[name])
            expressions.append(form)
        elif name in key:
            raise Refused(f"column {name} of the key cannot be compared: the database has no such one of its type.")
        else:
            why = f"{there[name].kind} is not compared" if name in there else "the database has it not"
            left_out.append(f"{name} ({why})")
    left_out += [f"{column.name} (the result has it not)" for column in found if column.name not in result.names]
    return ComparedColumns(tuple(columns), tuple(expressions), len(key), tuple(left_out))


def of_database(connection: "psycopg.Connection[Any]", table: str, compared: ComparedColumns) -> Iterator[pa.Table]:
    """The rows of the table, some megabytes at a time."""
    command = f"copy (select {', '.join(compared.expressions)} from {quoted_table(table)}) to stdout (format csv)"
    block = bytearray()
    with connection.cursor().copy(command.encode()) as copy:
        for piece in copy:  # each holds whole rows
            block += piece
            if len(block) >= BLOCK_BYTES:
                yield _table(bytes(block), compared)
                block.clear()
    if block:
        yield _table(bytes(block), compared)


def _table(block: bytes, compared: ComparedColumns) -> pa.Table:
    rows = csv.read_csv(
        io.BytesIO(block),
        read_options=csv.ReadOptions(column_names=compared.names, block_size=len(block) + 1),
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(compared.names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    texts = [row_texts.of_database(column, rows[column.name]) for column in compared.columns]
    return pa.table(texts, names=compared.names)


def of_result(path: str, version: int, source: str | None, compared: ComparedColumns) -> Iterator[pa.Table]:
    """The rows of the Delta table as it was at `version`, some thousand at a time; with `source`, those whose
    change_source it is.
    """
    table = DeltaTable(path, version=version)
    kinds = pa.schema(table.schema().to_arrow())
    names = ", ".join(map(_identifier, compared.names))
    where = "" if source is None else f" where change_source = {text_literal(source)}"
    for batch in QueryBuilder(ONE_THREAD).register("it", table).execute(f"select {names} from it{where}"):
        rows = pa.Table.from_batches([pa.record_batch(batch)])
        own = [rows[name].cast(kinds.field(name).type) for name in compared.names]
        yield pa.table([row_texts.of_result(column) for column in own], names=compared.names)
