"""The answers of changes, and those made of them, are brought up to date together: latest rows and versions first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.answers.changes.change_answer import ChangeAnswer
from jobs.answers.latest import Latest
from jobs.answers.result import Result
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import Versions
from jobs.facts.kept_events import PLACE
from jobs.lake import commits, table_queries
from jobs.publishing import (
    as_of_publication,
    latest_publication,
    rule_report_publication,
    transaction_publication,
    version_publication,
    view_publication,
)
from jobs.publishing.event_difference import Moment
from jobs.publishing.transaction_publication import Progress
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
    progress: Progress
    """Up to where transactions are published, and topics are read."""
    commit: commits.Commit
    say: Callable[[str], None]
    """Tells whoever watches the run."""

    def path(self, answer: ChangeAnswer | AsOfAnswer) -> str:
        """Of the table of an answer."""
        return self.places.table(self.result.answer_table(answer))


@dataclass
class Published:
    """What a publish has done."""

    changes: dict[str, pa.Table | None] = field(default_factory=dict)
    """By the name of each answer, what has changed in its table; None if nothing has."""
    before: dict[str, pa.Table] = field(default_factory=dict)
    """By the name of each answer of latest rows that have changed, the changed and removed ones as they were."""
    notes: tuple[str, ...] = ()
    """For the ledger."""
    transactions: dict[str, dict[str, int]] = field(default_factory=dict)
    """See the ledger's column of this name."""


def update(context: Publish) -> Published:
    """Bring the tables of the answers up to date, each in one commit."""
    result, done = context.result, Published()
    tables = {each.name: DeltaTable(context.path(each)) for each in result.change_answers}
    versions_before = {name: (table.table_uri, table.version()) for name, table in tables.items()}
    new = _new_changes(context, done)
    for answer in result.change_answers:
        _update_of_changes(context, answer, new[result.change_topic(answer)], done)
    for made in result.as_of_answers:
        _update_as_of(context, made, versions_before[made.versions.name], done)
    for view in result.views:
        places, commit = context.places, context.commit
        published = view_publication.update(places, result, view, done.changes, done.before, commit)
        done.changes[view.name] = published.changes
        done.notes += published.notes
    return done


def _new_changes(context: Publish, done: Published) -> dict[str, pa.Table]:
    """By topic, the changes that this publish takes in, in order of offset."""
    result, published = context.result, context.before.sequence
    forms = {each.topic.TOPIC: each.form for each in result.all_reads if each.form}
    new = dict[str, pa.Table]()
    for topic in dict.fromkeys(map(result.change_topic, result.change_answers)):
        followed = forms[topic].transaction_topic
        if not followed:
            new[topic] = _kept_since(context, topic, published)
        elif topic not in new:
            read = partial(_kept_since, context)
            progress, now = context.progress, context.now.sequence
            ready = transaction_publication.ready_changes(result, followed, progress, read, published, now)
            new |= ready.changes
            done.transactions[followed] = ready.transactions
            done.notes += ready.notes
    return new


def _kept_since(context: Publish, topic: str, sequence: int) -> pa.Table:
    """The kept events of a topic after this ledger row, in order of offset."""
    name = context.result.events_table(topic)
    kept = DeltaTable(context.places.table(name), version=context.versions[name])
    return new_changes(kept, sequence)


def new_changes(kept: DeltaTable, published_sequence: int) -> pa.Table:
    """The changes that came later than this ledger row, of the table of kept ones, in order of offset."""
    new = table_queries.rows_where(kept, f"sequence > {published_sequence}")
    return new.sort_by([(column, "ascending") for column in PLACE])


def _update_of_changes(context: Publish, answer: ChangeAnswer, new: pa.Table, done: Published) -> None:
    places, result, commit = context.places, context.result, context.commit
    if not len(new):
        done.changes[answer.name] = None
    elif isinstance(answer, Versions):
        done.changes[answer.name] = version_publication.update(places, result, answer, new, commit)
    else:
        assert isinstance(answer, Latest)
        published = latest_publication.update(places, result, answer, new, commit)
        done.changes[answer.name] = published.changes
        done.before[answer.name] = published.before
        if published.cleared:
            done.notes += (f"{published.cleared:,} rows were cleared: a snapshot or a TRUNCATE has not shown them",)


def _update_as_of(context: Publish, answer: AsOfAnswer, versions: tuple[str, int], done: Published) -> None:
    events = context.result.events_table(answer.each)
    pinned = context.places.table(events), context.versions[events]
    source = as_of_publication.Source(pinned, versions, done.changes[answer.versions.name], context.kept_from)
    moments = context.before, context.now
    path = context.path(answer)
    written = as_of_publication.update(path, answer, source, *moments, context.commit, context.say)
    done.changes[answer.name] = written.changes
    done.notes += written.notes
    if isinstance(answer, StoredQueries):
        kinds = from_arrow_schema(pa.schema(DeltaTable(pinned[0]).schema().to_arrow()))
        path = context.places.table(context.result.rules_table(answer))
        report = rule_report_publication.Report(path, answer, kinds)
        done.notes += report.update(source.changes, written.tally, context.commit)
