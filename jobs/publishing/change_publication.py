"""The answers of changes, and those made of them, are brought up to date together: latest rows and versions first."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.answers.change_answer import ChangeAnswer
from jobs.answers.latest import Latest
from jobs.answers.result import Result
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import Versions
from jobs.facts.kept_events import PLACE
from jobs.lake import commits, table_queries
from jobs.publishing import as_of_publication, latest_publication, rule_report_publication, version_publication
from jobs.publishing.event_difference import Moment
from jobs.running.places import Places


@dataclass
class Published:
    """What a publish has done."""

    changes: dict[str, pa.Table | None] = field(default_factory=dict)
    """By the name of each answer, what has changed in its table; None if nothing has."""
    notes: tuple[str, ...] = ()
    """For the ledger."""


def update(
    places: Places, result: Result, versions: Mapping[str, int], before: Moment, now: Moment, commit: commits.Commit
) -> Published:
    """Bring the tables of the answers from one moment to the other, each in one commit. `versions`: of the tables of
    kept events and changes, by name.
    """
    done = Published()
    tables = {each.name: DeltaTable(places.table(result.answer_table(each))) for each in result.change_answers}
    before_tables = {name: (table.table_uri, table.version()) for name, table in tables.items()}
    new = {topic: _new_changes(places, result, versions, topic, before) for topic in _change_topics(result)}
    for answer in result.change_answers:
        _update_of_changes(places, result, answer, new[result.change_topic(answer)], commit, done)
    for made in result.as_of_answers:
        events = result.events_table(made.each)
        source = as_of_publication.Source(
            (places.table(events), versions[events]),
            before_tables[made.versions.name],
            done.changes[made.versions.name],
        )
        path = places.table(result.answer_table(made))
        written = as_of_publication.update(path, made, source, before, now, commit)
        done.changes[made.name] = written.changes
        done.notes += written.notes
        if isinstance(made, StoredQueries):
            kinds = from_arrow_schema(pa.schema(DeltaTable(source.events[0]).schema().to_arrow()))
            rules = places.table(result.rules_table(made))
            changed = source.changes
            done.notes += rule_report_publication.update(rules, made, changed, written.tally, kinds, commit)
    return done


def _change_topics(result: Result) -> list[str]:
    return list(dict.fromkeys(map(result.change_topic, result.change_answers)))


def _new_changes(places: Places, result: Result, versions: Mapping[str, int], topic: str, before: Moment) -> pa.Table:
    """The changes of a topic since the last publish, in order of offset."""
    name = result.events_table(topic)
    kept = DeltaTable(places.table(name), version=versions[name])
    new = table_queries.rows_where(kept, f"sequence > {before.sequence}")
    return new.sort_by([(column, "ascending") for column in PLACE])


def _update_of_changes(
    places: Places, result: Result, answer: ChangeAnswer, new: pa.Table, commit: commits.Commit, done: Published
) -> None:
    if not len(new):
        done.changes[answer.name] = None
    elif isinstance(answer, Versions):
        done.changes[answer.name] = version_publication.update(places, result, answer, new, commit)
    else:
        assert isinstance(answer, Latest)
        published = latest_publication.update(places, result, answer, new, commit)
        done.changes[answer.name] = published.changes
        if published.cleared:
            done.notes += (f"{published.cleared:,} rows were cleared: a snapshot or a TRUNCATE has not shown them",)
