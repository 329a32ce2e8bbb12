"""The tables of a result before its first batch: made, made anew when the result is defined anew, or removed again.

This is safe as long as nothing was read: there are no numbers yet that could get another meaning.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.answers import table_names
from jobs.answers.result import Result
from jobs.keeping import checkpoint, ledger
from jobs.keeping.ledger import Row
from jobs.keeping.result_tables import Table
from jobs.keeping.steps import Kind
from jobs.lake import commits, delta_tables, pointers
from jobs.running import storage
from jobs.running.errors import Refused
from jobs.running.places import Places


def begin(places: Places, result: Result, expected: list[Table], first: Row) -> Row:
    """Make the tables, and the ledger with the row `first`. Raises Refused if a table has rows already, or if readers
    use its name for a table of another result.
    """
    pointers.check_free(places, [result.name, *(table.name for table in expected)])
    for table in expected:
        path = places.table(table.name)
        if delta_tables.find(path) is not None and delta_tables.identity(path)[1] > 0:
            raise Refused(
                f"{path} has rows, but there is no ledger {ledger.path(places, result.name)} to say which records they "
                f"hold. Move the tables of {result.name} away to rebuild them from the log, or bring the ledger back."
            )
    _make(places, expected)
    ledger.create(places, result.name)
    first = replace(first, tables=ledger.versions(places, [table.name for table in expected]))
    return ledger.write(places, result.name, replace(first, started_time=datetime.now(UTC)))


def is_blank(places: Places, name: str, last: Row) -> bool:
    """Whether result `name` has read nothing yet: no record is in its tables, and no lost ones were accepted."""
    if any(ledger.last(places, name, kind) for kind in (Kind.BATCH, Kind.REQUEUE, Kind.GAP)):
        return False
    return all(_is_empty(places.table(table)) for table in last.tables)


def begin_anew(
    spark: SparkSession, places: Places, result: Result, expected: list[Table], last: Row, now: Mapping[str, Any]
) -> Row:
    """For a result that `is_blank`: its tables are removed and made anew, in a new generation that starts in the log
    where it was to start. `now`: how the result is defined now, as fields of a ledger row.
    """
    for name, known in last.tables.items():
        path = places.table(name)
        if delta_tables.find(path) is not None and delta_tables.identity(path)[0] == known["id"]:
            storage.remove_folder(path)
    folder = checkpoint.folder(places.checkpoints, result.name, last.generation)
    if checkpoint.exists(spark, folder):
        storage.remove_folder(folder)
    _make(places, expected)
    row = last.next(
        Kind.START,
        generation=last.generation + 1,
        batch_id=-1,
        published_sequence=last.sequence + 1,
        tables=ledger.versions(places, [table.name for table in expected]),
        notes=("defined anew: nothing had been read yet, so its empty tables were made anew",),
        **now,
    )
    if last.definition.get("topic") != row.definition["topic"]:
        row = replace(row, end_offsets={}, log_home="", topic_id="")
    return ledger.write(places, result.name, row)


def forget(places: Places, name: str, since: datetime) -> None:
    """Remove tables, ledger and checkpoint of result `name`, if a first run has made them since that time and they are
    empty. Nothing is removed if a table has rows, if a batch was closed, or if a table is older. Tables that headrace
    has not made stay.
    """
    last = ledger.last(places, name)
    if last is not None and not is_blank(places, name, last):
        return
    home = ledger.path(places, name)
    # Kept events and answers have names that only the ledger tells.
    names = dict.fromkeys([*table_names.all_tables(name), *(last.tables if last else ())])
    paths = [places.table(table) for table in names]
    found = [path for path in paths if path != home and _is_ours(path)]
    paths = [home, *found] if delta_tables.find(home) is not None else found
    if not all(_is_empty(path) for path in found) or not all(_created_time(path) >= since for path in paths):
        return
    for path in paths:  # the ledger first: empty tables without a ledger do no harm, a ledger without them would
        storage.remove_folder(path)
    if paths:
        storage.remove_folder(f"{places.checkpoints}/{name}")


def _make(places: Places, expected: Iterable[Table]) -> None:
    for table in expected:
        path = places.table(table.name)
        if _is_ours(path) and _is_empty(path):  # of a run that ended before its ledger was there, in other columns
            storage.remove_folder(path)
        delta_tables.create(path, table.columns, table.partitioned_by, table.sentence, table.settings)


def _is_empty(path: str) -> bool:
    """Whether it has no rows; also if it is gone."""
    table = delta_tables.find(path)
    return table is None or not table.file_uris()


def _is_ours(path: str) -> bool:
    """Whether there is a table that headrace has made."""
    return delta_tables.find(path) is not None and commits.metadata_since(path, -1)[:1] == [{"step": "create"}]


def _created_time(path: str) -> datetime:
    return datetime.fromtimestamp(DeltaTable(path).metadata().created_time / 1000, UTC)
