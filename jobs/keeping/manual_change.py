"""A change of a result's tables that a person asks for, not the log: its commits, and the ledger row that closes it."""

from dataclasses import dataclass, replace

from jobs.answers.result import Result
from jobs.keeping import deliveries, ledger
from jobs.keeping.answer_publication import publish_answers
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Step, announce
from jobs.lake import commits
from jobs.publishing import publication
from jobs.publishing.event_publication import EventPublisher
from jobs.publishing.finality import Finality
from jobs.run import Run


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
        if self.result.uses_window_changes:
            return row  # the next run publishes them, with their rankings and their feed
        if self.result.windows:
            commit, since = self.commit(row, Step.WINDOWS), self.last.published_sequence
            finality = Finality(self.last.published_complete_time, row.complete_time)
            with announce(self.run.step, Step.WINDOWS):
                publication.publish(self.run.spark, self.run.places, self.result, since, finality, commit)
            row = replace(row, published_sequence=row.sequence, published_complete_time=row.complete_time)
            return deliveries.begin(self.result, row, self.last)
        if self.result.has_decided_rows:
            return deliveries.begin_decided(self.result, row, self.last)
        tables = ledger.with_versions(self.run.places, row, self.commit(row, Step.PUBLISH)).tables
        versions = {name: table["version"] for name, table in tables.items()}
        events = None
        if self.result.event_answers:
            events = EventPublisher(self.run.spark, self.run.places, self.result, has_cache=False)
        row = replace(row, open_sequence=row.sequence)
        return publish_answers(self.run, self.result, self.last, row, versions, self.commit, events)

    def close(self, row: Row) -> Row:
        """Write `row`. Raises Refused if another run has written to the tables."""
        row = ledger.close(self.run, row, self.commit(row, Step.LEDGER))
        self.run.closed(self.result.name, row, None)
        return row
