"""Answers of events, of changes, or sessions, and their feeds: published together, under one ledger row."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from jobs.answers.result import Result
from jobs.keeping import deliveries, housekeeping
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Step, announce
from jobs.lake import commits
from jobs.log import home
from jobs.publishing import change_publication, feed, session_publication
from jobs.publishing.change_publication import Publish
from jobs.publishing.event_difference import Moment
from jobs.publishing.event_publication import EventPublisher
from jobs.publishing.transaction_publication import Progress
from jobs.run import Run
from jobs.running.instants import to_micros
from jobs.running.places import Places


def publish_answers(
    run: Run,
    result: Result,
    last: Row,
    row: Row,
    versions: Mapping[str, int],
    commit: Callable[[Row, Step], commits.Commit],
    events: EventPublisher | None,
) -> Row:
    """Bring answers and feeds from what ledger row `last` says to what `row` will say; returns `row` with that.

    Rows are shown of all events up to `row.open_sequence`, decided or not. `versions`: of the tables, by name.
    `events`: publishes the answers of events, if there are any.
    """
    before = Moment(last.published_sequence, _micros(last.published_complete_time), last.open_sequence)
    now = Moment(row.sequence, _micros(row.complete_time), row.open_sequence)
    with announce(run.step, Step.PUBLISH):
        if events:
            changes = events.update(versions, before, now, commit(row, Step.PUBLISH))
        elif result.change_answers:
            kept_from = housekeeping.correctable_from(result, last.expired_stream_time)
            first = to_micros(kept_from) if kept_from else None
            step = commit(row, Step.PUBLISH)
            ends = {topic: read.end_offsets for topic, read in row.positions(result.topics).items()}
            progress = Progress(last.transactions, ends, lambda topic: dict(home.topic(run.places, topic).ends))
            context = Publish(run.places, result, versions, before, now, first, progress, step, run.say)
            done = change_publication.update(context)
            changes = done.changes
            row = replace(row, notes=(*row.notes, *done.notes), transactions=done.transactions)
        else:
            version = versions[result.table("spells")]
            changes = session_publication.update(run.places, result, version, before, now, commit(row, Step.PUBLISH))
    row = with_feed(run.places, run.step, result, last, row, lambda: changes, commit)
    return replace(row, published_sequence=row.sequence, published_complete_time=row.complete_time)


def with_feed(
    places: Places,
    step: Callable[[str], None],
    result: Result,
    last: Row,
    row: Row,
    changes: Callable[[], Mapping[str, pa.Table | None]],
    commit: Callable[[Row, Step], commits.Commit],
) -> Row:
    """`row`, of a publish after `last` that has made these changes, after its feed is written, if there is one. `step`:
    see Run.step.
    """
    if result.deliver:
        with announce(step, Step.FEED):
            feed.write(places, result, changes(), not last.delivered_sequence, commit(row, Step.FEED))
    return deliveries.begin(result, row, last)


def _micros(complete_time: datetime | None) -> int:
    """In microseconds since 1970, and that if nothing is complete."""
    return max(0, to_micros(complete_time)) if complete_time else 0
