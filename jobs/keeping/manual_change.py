"""A change of a result's tables that a person asks for, not the log: its commits, and the ledger row that closes it."""

from dataclasses import dataclass, replace
from datetime import datetime

from jobs.answers.result import Result
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Step, announce
from jobs.lake import commits
from jobs.publishing import publication
from jobs.publishing.event_difference import Moment
from jobs.publishing.event_publication import EventPublisher
from jobs.publishing.finality import Finality
from jobs.run import Run
from jobs.running.instants import to_micros


@dataclass(frozen=True)
class ManualChange:
    """One change of one result. One that stops half-way is taken back by the next run."""

    run: Run
    result: Result
    last: Row
    """The ledger's last row before it."""

    def commit(self, row: Row, step: Step) -> commits.Commit:
        """The commit of a step that `row` will close."""
        # No batch has this generation, so that the next run recognises an unfinished change and takes it back.
        generation = f"{row.kind}-{row.sequence}"
        return commits.Commit(self.result.name, generation, row.sequence, step, row.start_offsets, row.end_offsets)

    def publish_all(self, row: Row) -> Row:
        """Publish what the change has written, and what complete time has made final; returns the row that says so.
        Like a run that ends, it shows the rows of events that nothing decides yet.
        """
        published = replace(row, published_sequence=row.sequence, published_complete_time=row.complete_time)
        if self.result.windows:
            commit, since = self.commit(row, Step.WINDOWS), self.last.published_sequence
            finality = Finality(self.last.published_complete_time, row.complete_time)
            with announce(self.run.step, Step.WINDOWS):
                publication.publish(self.run.spark, self.run.places, self.result, since, finality, commit)
            return published
        if not self.result.event_answers:
            return row
        last, commit = self.last, self.commit(row, Step.PUBLISH)
        tables = ledger.with_versions(self.run.places, row, commit).tables
        versions = {name: table["version"] for name, table in tables.items()}
        before = Moment(last.published_sequence, _micros(last.published_complete_time), last.open_sequence)
        now = Moment(row.sequence, _micros(row.complete_time), row.sequence)
        with announce(self.run.step, Step.PUBLISH):
            publisher = EventPublisher(self.run.spark, self.run.places, self.result, has_cache=False)
            publisher.update(versions, before, now, commit)
        return replace(published, open_sequence=row.sequence)

    def close(self, row: Row) -> Row:
        """Write `row`. Raises Refused if another run has written to the tables."""
        row = ledger.close(self.run, row, self.commit(row, Step.LEDGER))
        self.run.closed(self.result.name, row, None)
        return row


def _micros(complete_time: datetime | None) -> int:
    """In microseconds since 1970, and that if nothing is complete."""
    return max(0, to_micros(complete_time)) if complete_time else 0
