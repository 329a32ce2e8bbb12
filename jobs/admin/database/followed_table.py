"""Which table of the database a result follows."""

from dataclasses import dataclass

from jobs.admin.database.verification import Comparison
from jobs.answers.latest import Latest
from jobs.answers.result import Result
from jobs.events.changes.change_topic import row_columns
from jobs.running.errors import Refused
from jobs.running.places import Places

SOURCE = "change_source"


@dataclass(frozen=True)
class FollowedTable:
    """A table of a database, as the name of its topic says: PREFIX.SCHEMA.TABLE."""

    latest: Latest
    """The answer with its rows."""
    topic: str
    prefix: str
    table: str

    def comparison(self, places: Places, result: Result, source: str, table: str | None) -> Comparison:
        """Of the rows of the result with a table of the database that its capture tool calls `source`; None: that of
        the topic's name.
        """
        schema_file = next(reads.topic for reads in result.all_reads if self.topic == reads.topic.TOPIC)
        return Comparison(
            places,
            result,
            result.answer_table(self.latest),
            tuple(name for name in self.latest.key if name != SOURCE),
            tuple(row_columns(schema_file).names),
            source if SOURCE in self.latest.key else None,
            table or self.table,
        )


def find(result: Result, answer: str | None) -> FollowedTable:
    """That of the answer of this name; None: of the only one. Raises Refused if there is none, or more than one."""
    all_latest = {each.name: each for each in result.change_answers if isinstance(each, Latest)}
    if not all_latest:
        raise Refused(f"{result.name} has no latest rows of a database's table: there is nothing to compare it with.")
    name = answer if answer is not None else "" if "" in all_latest or len(all_latest) > 1 else next(iter(all_latest))
    if name not in all_latest:
        named = ", ".join(each or "''" for each in all_latest)
        raise Refused(f"{result.name} has the latest rows {named}: name one of them with --answer.")
    topic = result.change_topic(all_latest[name])
    *prefix, schema, table = topic.split(".") if topic.count(".") > 1 else ("", "", topic)
    return FollowedTable(all_latest[name], topic, ".".join(prefix), f"{schema}.{table}" if schema else table)
