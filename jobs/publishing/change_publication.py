"""The answers of changes, and those made of them, are brought up to date together: latest rows and versions first."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.answers.as_of_answer import AsOfAnswer
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


@dataclass(frozen=True)
class Publish:
    """One publish of one result."""

    places: Places
    result: Result
    versions: Mapping[str, int]
    """Of the tables of kept events and changes, by name."""
    before: Moment
    now: Moment
    kept_from: int | None
    """See as_of_publication.Source."""
    commit: commits.Commit

    def path(self, answer: ChangeAnswer | AsOfAnswer) -> str:
        """Of the table of an answer."""
        return self.places.table(self.result.answer_table(answer))


@dataclass
class Published:
    """What a publish has done."""

    changes: dict[str, pa.Table | None] = field(default_factory=dict)
    """By the name of each answer, what has changed in its table; None if nothing has."""
    notes: tuple[str, ...] = ()
    """For the ledger."""


def update(publish: Publish) -> Published:
    """Bring the tables of the answers up to date, each in one commit."""
    result, done = publish.result, Published()
    tables = {each.name: DeltaTable(publish.path(each)) for each in result.change_answers}
    versions_before = {name: (table.table_uri, table.version()) for name, table in tables.items()}
    topics = dict.fromkeys(map(result.change_topic, result.change_answers))
    new = {topic: _new_changes(publish, topic) for topic in topics}
    for answer in result.change_answers:
        _update_of_changes(publish, answer, new[result.change_topic(answer)], done)
    for made in result.as_of_answers:
        _update_as_of(publish, made, versions_before[made.versions.name], done)
    return done


def _new_changes(publish: Publish, topic: str) -> pa.Table:
    """The changes of a topic since the last publish, in order of offset."""
    name = publish.result.events_table(topic)
    kept = DeltaTable(publish.places.table(name), version=publish.versions[name])
    new = table_queries.rows_where(kept, f"sequence > {publish.before.sequence}")
    return new.sort_by([(column, "ascending") for column in PLACE])


def _update_of_changes(publish: Publish, answer: ChangeAnswer, new: pa.Table, done: Published) -> None:
    places, result, commit = publish.places, publish.result, publish.commit
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


def _update_as_of(publish: Publish, answer: AsOfAnswer, versions: tuple[str, int], done: Published) -> None:
    events = publish.result.events_table(answer.each)
    pinned = publish.places.table(events), publish.versions[events]
    source = as_of_publication.Source(pinned, versions, done.changes[answer.versions.name], publish.kept_from)
    moments = publish.before, publish.now
    written = as_of_publication.update(publish.path(answer), answer, source, *moments, publish.commit)
    done.changes[answer.name] = written.changes
    done.notes += written.notes
    if isinstance(answer, StoredQueries):
        kinds = from_arrow_schema(pa.schema(DeltaTable(pinned[0]).schema().to_arrow()))
        path = publish.places.table(publish.result.rules_table(answer))
        report = rule_report_publication.Report(path, answer, kinds)
        done.notes += report.update(source.changes, written.tally, publish.commit)
