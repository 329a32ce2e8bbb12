"""Tables whose columns get wider types, because the schema file of the topic has: each is rewritten once.

A table is rewritten in one commit, in the memory of a few batches, with the same values. The commits belong to a ledger
row of their own. If a run ends before that row is written, the next one goes on with its commits; or rolls them back,
if the types were changed back.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pyspark.sql.types import DecimalType, FloatType, LongType, StructField, StructType

from jobs.answers.result import Result
from jobs.facts.statistics.total import BEYOND
from jobs.keeping import ledger, table_check
from jobs.keeping.definition import wider_types
from jobs.keeping.ledger import Row
from jobs.keeping.result_tables import Table
from jobs.keeping.steps import Kind, Step, announce
from jobs.lake import commits, delta_tables
from jobs.publishing import in_process_upsert
from jobs.running.places import Places

_FINISHED = "tables that an earlier run had written anew, as their columns were too narrow, are taken over"


def tables_to_widen(places: Places, expected: Sequence[Table]) -> list[Table]:
    """The tables that do not have the expected columns."""
    return [
        table
        for table in expected
        if table_check.column_differences(table_check.columns(places.table(table.name)), table.columns)
    ]


def check(places: Places, result: Result, expected: Sequence[Table]) -> None:
    """Raises Refused if a table has not the expected columns, and cannot get them without a change of its values."""
    for table in expected:
        table_check.check_columns(places.table(table.name), _obstacles(places, result, table))


def is_possible(places: Places, result: Result, expected: Sequence[Table]) -> bool:
    """Whether `check` would pass."""
    return not any(_obstacles(places, result, table) for table in expected)


def _obstacles(places: Places, result: Result, table: Table) -> list[str]:
    """The columns that cannot get the expected types, in words."""
    columns = table_check.columns(places.table(table.name))
    names, groups = columns.fieldNames(), result.panes.by if result.panes else ()
    wanted = [field for field in table.columns if field.name in names or not _is_null_at_first(field.name)]
    for place, field in enumerate(wanted):
        if field.name in names and _may_become(columns[field.name], field, field.name in groups):
            wanted[place] = columns[field.name]
    return table_check.column_differences(columns, StructType(wanted))


def _may_become(column: StructField, wanted: StructField, is_group: bool) -> bool:
    was, now = column.dataType, wanted.dataType
    if is_group and isinstance(was, FloatType):
        return isinstance(now, FloatType)  # 0.1 as float is another double than 0.1: it would be a group of its own
    is_sum = column.name.endswith("_sum") and isinstance(was, LongType) and isinstance(now, DecimalType)
    return wider_types.holds(now, was) or is_sum  # see statistics/total.py


def _is_null_at_first(name: str) -> bool:
    """Whether rows that are older than the column may have null in it: it is for sums too long for a decimal, or
    says when a window is final, which the next publishing puts right.
    """
    return name.endswith(f"_sum{BEYOND}") or name in ("due_time", "final")


def widen(places: Places, result: Result, expected: Sequence[Table], last: Row, step: Callable[[str], None]) -> Row:
    """Rewrite the tables that do not have the expected columns, and then write the ledger row that says so.

    Tables that an earlier run has rewritten stay. Raises Refused if another run is writing too.
    """
    sequence = last.sequence + 1
    row = last.next(Kind.WIDEN, published_sequence=sequence if last.is_published else last.published_sequence)
    commit = commits.Commit(
        result.name, f"{Step.WIDEN}-{sequence}", sequence, Step.WIDEN, row.start_offsets, row.end_offsets
    )
    notes = []
    for table in tables_to_widen(places, expected):
        path = places.table(table.name)
        differences = table_check.column_differences(table_check.columns(path), table.columns)
        windows = bool(result.panes) and table.name == result.name
        with announce(step, f"{Step.WIDEN} {table.name}"):
            delta_tables.rewrite(path, table.columns, commit, in_process_upsert.TARGET_FILE_BYTES if windows else None)
        notes.append(f"{path} was written anew, as its columns were too narrow ({'; '.join(differences)})")
    row = ledger.with_versions(places, replace(row, notes=tuple(notes) or (_FINISHED,)), commit)
    with announce(step, Step.LEDGER):
        return ledger.write(places, result.name, row)
