"""The batches of one result: what each writes, and in which order.

The steps of a batch: quarantine, panes or rows, filters, windows if they are due, ledger. Each is one Delta commit
that says which step it is, so a batch that is tried again does only what is missing.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import pyarrow as pa
from pyspark.sql import DataFrame

from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.keeping import batch_row, checkpoint, evaluation, filter_table, log_position
from jobs.keeping.batch_size import BatchSize
from jobs.keeping.evaluation import Outcome
from jobs.keeping.ledger import Row
from jobs.keeping.ledger_writer import LedgerWriter
from jobs.keeping.publish_schedule import PublishSchedule
from jobs.keeping.steps import Kind, Step, announce
from jobs.lake import delta_tables
from jobs.log.kafka.topics import TopicProbe
from jobs.run import Run
from jobs.running import durations, mistakes


class BatchAborted(Exception):
    """Raised into Spark to end its query. It stands for the error, which BatchWriter keeps in `failure`: Spark would
    wrap that in pages of Java, and Spark's own search of a long message fails.
    """


@dataclass
class BatchWriter:
    """Writes the batches of one result."""

    run: Run
    result: Result
    checkpoint: str
    """Folder of the query's checkpoint, which knows where each batch ends."""
    ledger: LedgerWriter
    schedule: PublishSchedule
    expects_doubtful: bool = False
    """Whether the next batch is likely to hold doubtful records: a log that had some in one has some in the next."""
    check_first: Callable[[Row], None] | None = None
    """Called with the row of the result's first batch before anything is written; it may refuse."""
    failure: Exception | None = None
    """Why a batch failed; None if none did."""
    needs_resize: bool = False
    """Whether the last batch ended the query because the next ones get another size. That batch is closed."""
    stopping: bool = False
    """Whether no more batches may begin."""
    topic_probe: TopicProbe | None = field(init=False, default=None)
    """Asks Kafka for the topic's id, if the log is there."""
    size: BatchSize = field(init=False)

    def __post_init__(self) -> None:
        if self.run.places.log == "kafka":
            assert self.run.places.kafka
            self.topic_probe = TopicProbe(self.run.places.kafka, self.result.topic.TOPIC)
        floor, ceiling = self.result.min_records_per_batch, self.result.max_records_per_batch
        self.size = BatchSize(durations.seconds(self.result.batch_target), min(floor, ceiling), ceiling)

    def write(self, records: DataFrame, batch_id: int) -> None:
        """One microbatch, from its records to its ledger row. A batch that the ledger has already is left alone.

        Raises BatchAborted if it failed, if batches are to get another size, or if no more may begin.
        """
        with self.schedule.write_lock:
            if batch_id <= self.ledger.last.batch_id:
                return
            if self.stopping:
                raise BatchAborted("the run has been stopped")
            try:
                self._write(records, batch_id)
            except Exception as error:
                self.failure, self.schedule.batch_failed = error, True
                raise BatchAborted(f"a batch failed: {type(error).__name__}") from None
            if self.needs_resize:
                raise BatchAborted("batches get another size")

    def accept_batches(self) -> None:
        """Of a query that begins: stop_after_batch and needs_resize were about the one before."""
        self.stopping = self.needs_resize = False

    def stop_after_batch(self) -> None:
        """Wait for the batch that is at work; no other begins."""
        with self.schedule.write_lock:
            self.stopping = True

    def _write(self, records: DataFrame, batch_id: int) -> None:
        begun = time.monotonic()
        row = self._row(records, batch_id)
        if self.check_first:
            self.check_first(row)
        with ExitStack() as cached:
            outcome = self._evaluate(records, row, cached)
            if self.topic_probe:  # before anything is written
                log_position.check_topic_id(self.topic_probe, self.result, self.ledger.last)
            row = batch_row.add_facts(row, outcome.facts)
            if row.records and row.quarantined == row.records:
                row = replace(row, notes=(*row.notes, evaluation.reasons_of_bad(outcome)))
            row = self._write_tables(outcome, row)
        seconds = time.monotonic() - begun
        if self.run.continuous and self.schedule.is_due():  # a scheduled run publishes at its end
            row = self.schedule.publish_now(records.sparkSession, row)
        self.ledger.close(row)
        self.check_first = None
        self.needs_resize = bool(self.run.continuous) and self.size.adjust(row.records, seconds)

    def _row(self, records: DataFrame, batch_id: int) -> Row:
        """The batch's ledger row before anything is known but which records it reads."""
        last = self.ledger.last
        ends = checkpoint.end_offsets(records.sparkSession, self.checkpoint, batch_id)
        row = last.next(Kind.BATCH, batch_id=batch_id, end_offsets=last.end_offsets | ends)
        row = replace(row, notes=log_position.new_partitions_note(self.result.topic.TOPIC, row))
        for note in row.notes:
            self.run.say(f"{self.result.name}: {note}")
        return row

    def _evaluate(self, records: DataFrame, row: Row, cached: ExitStack) -> Outcome:
        result, last = self.result, self.ledger.last
        few = batch_row.offsets_between(row) <= evaluation.FEW_RECORDS
        with mistakes.note_records(result.topic.TOPIC, row.start_offsets, row.end_offsets):
            filters = filter_table.read(self.run.places, result, last) if result.membership else None
            prior = Prior(batch_row.stream_micros(last), filters)
            outcome = None if self.expects_doubtful else evaluation.fast(records, result, prior, cached, few)
            outcome = outcome or evaluation.exact(records, result, prior, cached)
        self.expects_doubtful = outcome.has_doubtful
        return outcome

    def _write_tables(self, outcome: Outcome, row: Row) -> Row:
        """Quarantine, panes or rows, filters; returns the row with what it says of filters."""
        result, cache = self.result, self.schedule.pane_cache
        if outcome.bad is not None:
            self._append(outcome.bad, result.table("quarantine"), row, Step.QUARANTINE, requeued_sequence=None)
        if result.panes:
            written = self._append(outcome.output, result.table("panes"), row, Step.PANES)
            if cache:
                cache.record_append(written)
        else:
            self._append(outcome.output, result.name, row, Step.ROWS)
        if outcome.filters is None or not outcome.filters.num_rows:
            return row
        with announce(self.run.step, Step.FILTERS):
            commit = self.ledger.commit(row, Step.FILTERS)
            filter_table.replace(self.run.places, result, outcome.filters, commit)
        return batch_row.add_filter_rates(row, outcome.filters)

    def _append(
        self, rows: DataFrame | pa.Table, name: str, row: Row, step: Step, **numbers: int | None
    ) -> pa.Table | None:
        """What was appended, if it went through this process."""
        with announce(self.run.step, step):
            path, commit = self.run.places.table(name), self.ledger.commit(row, step)
            return delta_tables.append(rows, path, commit, {"sequence": row.sequence} | numbers)
