"""Are the tables of a result those that its ledger knows?"""

import json

from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from jobs.answers.result import Result
from jobs.keeping import result_tables
from jobs.keeping.definition import fingerprint, wider_types
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables
from jobs.running.errors import Refused
from jobs.running.places import Places


def check(places: Places, name: str, expected: list[result_tables.Table], last: Row) -> None:
    """Raises Refused unless the tables of result `name` are there, are those of the ledger, and have the expected
    columns.
    """
    check_known(places, name, expected, last)
    for table in expected:
        path = places.table(table.name)
        check_columns(path, column_differences(columns(path), table.columns))


def is_well(places: Places, name: str, expected: list[result_tables.Table], last: Row) -> bool:
    """Whether `check` raises nothing."""
    try:
        check(places, name, expected, last)
    except Refused:
        return False
    return True


def check_known(places: Places, name: str, expected: list[result_tables.Table], last: Row) -> None:
    """Raises Refused unless the tables are there and are those of the ledger."""
    for table in expected:
        wrong = mismatch(places, name, table.name, last)
        if wrong:
            raise Refused(wrong)


def check_columns(path: str, differences: list[str]) -> None:
    """Raises Refused if there are any."""
    if differences:
        raise Refused(
            f"the columns of {path} are not those of the job ({'; '.join(differences)}). Give the result a new version "
            "in its name, or change the columns back."
        )


def raise_if_tables_changed(spark: SparkSession, places: Places, result: Result, last: Row) -> None:
    """If a table was removed or altered while a run failed, raise that as the cause (Refused)."""
    try:
        check(places, result.name, result_tables.definitions(spark, result), last)
    except Refused:
        raise
    except Exception:  # what made the run fail may make this check fail too
        return


def mismatch(places: Places, name: str, table: str, last: Row) -> str | None:
    """Why a table of result `name` is not the one that its ledger knows, and what to do; None if it is."""
    remedy = (
        f"Bring it back from a backup, or, to rebuild {name} from the log, move all its tables away "
        f"({places.table(name)}*) and run again."
    )
    path, known = places.table(table), last.tables.get(table)
    found = delta_tables.find(path)
    if known is None or found is None:
        return f"the table {path} is gone. {remedy}"
    if str(found.metadata().id) != known["id"]:
        return f"the table {path} was replaced: it is not the one that the ledger knows. {remedy}"
    if found.version() < known["version"]:
        return f"the table {path} is older than its ledger, as after a restored backup. {remedy}"
    return None


def columns(path: str) -> StructType:
    """The columns of the table at `path`."""
    return StructType.fromJson(json.loads(DeltaTable(path).schema().to_json()))


def column_differences(found: StructType, expected: StructType) -> list[str]:
    """What differs in names, order and types, without comments and nullability, which readers and engines write
    differently; each difference in words.
    """
    missing = [f"it has no {field.name}" for field in expected if field.name not in found.fieldNames()]
    more = [f"it has {field.name}" for field in found if field.name not in expected.fieldNames()]
    if not missing and not more and found.fieldNames() != expected.fieldNames():
        return [f"their order is {', '.join(found.fieldNames())}, not {', '.join(expected.fieldNames())}"]
    shared = [(field, expected[field.name]) for field in found if field.name in expected.fieldNames()]
    return [
        *missing,
        *more,
        *(
            f"{one.name} is {fingerprint.type_text(one.dataType)}, not {fingerprint.type_text(other.dataType)}"
            for one, other in shared
            if not wider_types.is_same(one.dataType, other.dataType)
        ),
    ]
