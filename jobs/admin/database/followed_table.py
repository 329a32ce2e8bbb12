"""Which table of the database a result follows."""

from dataclasses import dataclass

from jobs.admin.database.verification import Comparison
from jobs.answers.result import Result
from jobs.events.changes.change_topic import row_columns
from jobs.running.errors import Refused
from jobs.running.places import Places

SOURCE = "change_source"


@dataclass(frozen=True)
class FollowedTable:
    """A table of a database, as the name of its topic says: PREFIX.SCHEMA.TABLE."""

    topic: str
    prefix: str
    table: str


def find(result: Result) -> FollowedTable:
    """That of the result. Raises Refused if it has no latest rows."""
    if result.latest is None:
        raise Refused(f"{result.name} has no latest rows of a database's table: there is nothing to compare it with.")
    topic = result.topic.TOPIC
    *prefix, schema, table = topic.split(".") if topic.count(".") > 1 else ("", "", topic)
    return FollowedTable(topic, ".".join(prefix), f"{schema}.{table}" if schema else table)


def comparison(places: Places, result: Result, source: str, table: str | None) -> Comparison:
    """Of the latest rows of a result with a table of the database that its capture tool calls `source`."""
    followed, latest = find(result), result.latest
    assert latest is not None, "or it follows none"
    return Comparison(
        places,
        result,
        result.answer_table(latest),
        tuple(name for name in latest.key if name != SOURCE),
        tuple(row_columns(result.topic).names),
        source if SOURCE in latest.key else None,
        table or followed.table,
    )
