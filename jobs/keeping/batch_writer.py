"""The batches of one result: what each writes, and in which order.

The steps of a batch: quarantine, stragglers, panes or rows, filters, windows if they are due, ledger. Each is one
Delta commit that says which step it is, so a batch that is tried again does only what is missing.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow as pa
from pyspark.sql import DataFrame

from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.events import stragglers
from jobs.keeping import batch_row, checkpoint, complete_time, exact_pass, filter_table, log_position, outcome
from jobs.keeping.batch_size import BatchSize
from jobs.keeping.fast_pass import FastPass
from jobs.keeping.ledger import Row
from jobs.keeping.ledger_writer import LedgerWriter
from jobs.keeping.outcome import Outcome
from jobs.keeping.publish_schedule import PublishSchedule
from jobs.keeping.steps import Kind, Step, announce
from jobs.lake import delta_tables
from jobs.log import home
from jobs.log.batch_records import BatchRecords
from jobs.log.kafka.topics import TopicProbe
from jobs.log.offsets import Offsets
from jobs.log.ranges import RangeReader
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
    range_reader: RangeReader = field(init=False)
    """Reads what Spark's query has planned."""

    def __post_init__(self) -> None:
        if self.run.places.log == "kafka":
            assert self.run.places.kafka
            self.topic_probe = TopicProbe(self.run.places.kafka, self.result.topic.TOPIC)
        self.range_reader = home.range_reader(self.run.places, self.result.topic.TOPIC, self.result.name)
        floor, ceiling = self.result.min_records_per_batch, self.result.max_records_per_batch
        self.size = BatchSize(durations.seconds(self.result.batch_target), min(floor, ceiling), ceiling)

    def write(self, _records: DataFrame, batch_id: int) -> None:
        """One microbatch, from its records to its ledger row. A batch that the ledger has already is left alone. Of
        Spark's frame nothing is read: its query says which offsets the batch has.

        Raises BatchAborted if it failed, if batches are to get another size, or if no more may begin.
        """
        with self.schedule.write_lock:
            if batch_id <= self.ledger.last.batch_id:
                return
            if self.stopping:
                raise BatchAborted("the run has been stopped")
            try:
                self._write(batch_id)
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

    def _write(self, batch_id: int) -> None:
        begun = time.monotonic()
        log_ends = self._log_ends()  # first: what is read now must not be taken for less than all
        row, starts = self._row(batch_id)
        if self.check_first:
            self.check_first(row)
        with ExitStack() as cached:
            found = self._evaluate(row, starts, cached)
            if self.topic_probe:  # before anything is written
                log_position.check_topic_id(self.topic_probe, self.result, self.ledger.last)
            row = batch_row.add_facts(row, found.facts)
            row = complete_time.with_complete_time(row, [self._clock(row, log_ends)], self.result.lateness_rule)
            if row.records and row.quarantined == row.records:
                row = replace(row, notes=(*row.notes, outcome.reasons_of_bad(found)))
            row = self._write_tables(found, row)
        seconds = time.monotonic() - begun
        if self.run.continuous and self.schedule.is_due():  # a scheduled run publishes at its end
            row = self.schedule.publish_now(self.run.spark, row)
        self.ledger.close(row)
        self.check_first = None
        self.needs_resize = bool(self.run.continuous) and self.size.adjust(row.records, seconds)

    def _log_ends(self) -> Offsets | None:
        """Where the log ends now; None if idle partitions hold nothing back."""
        if self.result.late.idle_after is None:
            return None
        return dict(home.topic(self.run.places, self.result.topic.TOPIC).ends)

    def _clock(self, row: Row, log_ends: Offsets | None) -> complete_time.Clock:
        return complete_time.Clock(batch_row.stream_micros(row), row.end_offsets, log_ends)

    def _row(self, batch_id: int) -> tuple[Row, Offsets]:
        """The batch's ledger row before anything is known but which records it reads, and where it starts to read. A
        partition that no start is known of is read from its first record.
        """
        last = self.ledger.last
        ends = checkpoint.end_offsets(self.run.spark, self.checkpoint, batch_id)
        row = last.next(Kind.BATCH, batch_id=batch_id, end_offsets=last.end_offsets | ends)
        row = replace(row, notes=log_position.new_partitions_note(self.result.topic.TOPIC, row))
        for note in row.notes:
            self.run.say(f"{self.result.name}: {note}")
        starts = dict(last.end_offsets)
        if not starts and batch_id == 0:
            starts = checkpoint.first_offsets(self.run.spark, self.checkpoint) or {}
        elif starts:  # Spark reads a partition that is new from offset 0, or stops if it no longer has that
            starts = {partition: starts.get(partition, 0) for partition in ends}
        return row, starts

    def _evaluate(self, row: Row, starts: Offsets, cached: ExitStack) -> Outcome:
        result, last = self.result, self.ledger.last
        with mistakes.note_records(result.topic.TOPIC, row.start_offsets, row.end_offsets):
            filters = filter_table.read(self.run.places, result, last) if result.membership else None
            prior = Prior(batch_row.stream_micros(last), filters)
            ranges = self.range_reader.plan(starts, row.end_offsets)
            records = BatchRecords(self.run.spark, self.range_reader, ranges)
            found = None if self.expects_doubtful else self._fast_pass.evaluate(records, prior, cached)
            found = found or exact_pass.evaluate(records, result, prior, cached)
        self.expects_doubtful = found.has_doubtful
        return found

    @cached_property
    def _fast_pass(self) -> FastPass:
        return FastPass(self.run.spark, self.result)

    def _write_tables(self, found: Outcome, row: Row) -> Row:
        """Quarantine, stragglers, panes or rows, filters; returns the row with what it says of filters."""
        result, cache = self.result, self.schedule.pane_cache
        if found.bad is not None:
            self._append(found.bad, result.table("quarantine"), row, Step.QUARANTINE, requeued_sequence=None)
        if row.late:
            late = stragglers.table(result.topic.TOPIC, found.facts, result.lateness_rule)
            self._append(late, result.table("stragglers"), row, Step.STRAGGLERS)
        if result.panes:
            written = self._append(found.output, result.table("panes"), row, Step.PANES)
            if cache:
                cache.record_append(written)
        else:
            self._append(found.output, result.name, row, Step.ROWS)
        if found.filters is None or not found.filters.num_rows:
            return row
        with announce(self.run.step, Step.FILTERS):
            commit = self.ledger.commit(row, Step.FILTERS)
            filter_table.replace(self.run.places, result, found.filters, commit)
        return batch_row.add_filter_rates(row, found.filters)

    def _append(
        self, rows: DataFrame | pa.Table, name: str, row: Row, step: Step, **numbers: int | None
    ) -> pa.Table | None:
        """What was appended, if it went through this process."""
        with announce(self.run.step, step):
            path, commit = self.run.places.table(name), self.ledger.commit(row, step)
            return delta_tables.append(rows, path, commit, {"sequence": row.sequence} | numbers)
