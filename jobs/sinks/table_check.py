"""Are the tables of a result those that its ledger knows?"""

import json

from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.run import Places, Refused
from jobs.sinks import layout, tables
from jobs.sinks.ledger import Row
from jobs.transforms.result import Result


def check(places: Places, name: str, expected: list[layout.Table], last: Row) -> None:
    """Raises Refused unless the tables of result `name` are there, are those of the ledger, and have the expected
    columns.
    """
    for table in expected:
        path = places.table(table.name)
        wrong = fault(places, name, table.name, last)
        if wrong:
            raise Refused(wrong)
        if _shape(json.loads(DeltaTable(path).schema().to_json())) != _shape(json.loads(table.columns.json())):
            raise Refused(
                f"the columns of {path} are not those of the job. Give the result a new version in its name, or change "
                "the columns back."
            )


def blame(spark: SparkSession, places: Places, result: Result, last: Row) -> None:
    """After a run has failed: raises Refused if one of its tables was taken away or changed meanwhile, by which the
    failure is explained.
    """
    try:
        check(places, result.name, layout.tables_of(spark, result)[0], last)
    except Refused:
        raise
    except Exception:  # what ended the run is in the way here too
        return


def fault(places: Places, name: str, table: str, last: Row) -> str | None:
    """Why a table of result `name` is not the one that its ledger knows, and what to do; None if it is."""
    remedy = (
        f"Bring it back from a backup, or, to rebuild {name} from the log, move all its tables away "
        f"({places.table(name)}*) and run again."
    )
    path, known = places.table(table), last.tables.get(table)
    found = tables.find(path)
    if known is None or found is None:
        return f"the table {path} is gone. {remedy}"
    if str(found.metadata().id) != known["id"]:
        return f"the table {path} was replaced: it is not the one that the ledger knows. {remedy}"
    if found.version() < known["version"]:
        return f"the table {path} is older than its ledger, as after a restored backup. {remedy}"
    return None


def _shape(schema: dict[str, object]) -> object:
    """Names and types, without comments and nullability, which readers and engines write differently."""
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if key not in ("metadata", "nullable", "containsNull")}
    return {
        key: [_shape(item) for item in value] if isinstance(value, list) else _shape(value)  # type: ignore[arg-type]
        for key, value in kept.items()
        if key != "valueContainsNull"
    }
