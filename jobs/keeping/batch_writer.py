"""The batches of one result: what each writes, and in which order.

The steps of a batch: quarantine, panes or rows, filters, windows if they are due, ledger. Each is one Delta commit
that says which step it is, so a batch that is tried again does only what is missing.
"""

import json
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.keeping import batch_row, checkpoint, evaluation, housekeeping, ledger, log_position, recovery
from jobs.keeping.batch_size import BatchSize
from jobs.keeping.definition import fingerprint
from jobs.keeping.ledger import Row
from jobs.lake import commits, delta_tables
from jobs.log.kafka import topics
from jobs.log.kafka.groups import Shown
from jobs.publishing import publication
from jobs.publishing.pane_cache import Recent
from jobs.run import Run
from jobs.running import durations, mistakes


class Resized(Exception):
    """Ends a query whose batches are to have another size. Its last batch is closed: it is not done again."""


class Ended(Exception):
    """What Spark is told when a batch does not come to its end; it searches long messages in a way that fails."""


@dataclass
class Keeper:
    """Runs the batches of one result; `last` is the ledger's last row."""

    run: Run
    result: Result
    last: Row
    checkpoint: str
    expects_doubtful: bool = False
    """Whether the next batch is likely to hold doubtful records: a log that had some in one has some in the next."""
    failure: Exception | None = None
    query: StreamingQuery | None = None
    shown: Shown | None = None
    """The result's consumer group, if the log is in Kafka."""
    looking: topics.Looking | None = None
    """At the topic, if the log is in Kafka."""
    turn: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever writes: a batch, in Spark's thread, or a publishing between batches."""
    ended: bool = False
    """Whether no more batches may begin."""
    published_at: float = field(default_factory=time.monotonic)
    first_look: Callable[[Row], None] | None = None
    """Called with the row of the result's first batch before anything is written; it may refuse."""
    size: BatchSize = field(init=False)
    recent: Recent | None = None
    """Of a result with windows."""

    def __post_init__(self) -> None:
        if self.run.places.log == "kafka":
            kafka, topic = self.run.places.kafka, self.result.topic.TOPIC
            assert kafka
            self.shown = Shown(kafka, self.result.name, topic, self.run.say)
            self.looking = topics.Looking(kafka, topic)
        if self.result.windows:
            self.recent = Recent(self.run.places.table(f"{self.result.name}_panes"), self.result)
        floor, ceiling = self.result.min_records_per_batch, self.result.max_records_per_batch
        self.size = BatchSize(durations.seconds(self.result.batch_target), min(floor, ceiling), ceiling)

    def batch(self, records: DataFrame, batch_id: int) -> None:
        """One microbatch, from its records to its ledger row. A batch that the ledger has already is left alone."""
        with self.turn:
            if batch_id <= self.last.batch_id:
                return
            if self.ended:
                raise Ended("the run has been stopped")
            try:
                self._batch(records, batch_id)
            except Exception as error:
                self.failure = error  # Spark would wrap it in pages of Java
                raise Ended(f"a batch failed: {type(error).__name__}") from None

    def end(self) -> None:
        """Wait for the batch that is at work; no other begins."""
        with self.turn:
            self.ended = True

    def is_resized(self) -> bool:
        """Whether the last batch asked for another size, and so did not fail."""
        if isinstance(self.failure, Resized):
            self.failure = None
            return True
        return False

    def publish_while_idle(self) -> None:
        """Publish windows that are due, if no batch is at work: it may be long until the next one comes."""
        if not self.run.continuous or not self.turn.acquire(blocking=False):
            return
        try:
            if self._publish_due():
                self.publish_rest()
        finally:
            self.turn.release()

    def _batch(self, records: DataFrame, batch_id: int) -> None:
        spark, result, begun = records.sparkSession, self.result, time.monotonic()
        end = checkpoint.end_offsets(spark, self.checkpoint, batch_id)
        row = self.last.next("batch", batch_id=batch_id, end_offsets=self.last.end_offsets | end)
        row = replace(row, notes=log_position.grown(result.topic.TOPIC, row))
        for note in row.notes:
            self.run.say(f"{result.name}: {note}")
        if self.first_look:
            self.first_look(row)
        with ExitStack() as cached:
            with mistakes.reading(result.topic.TOPIC, row.start_offsets, row.end_offsets):
                passed = self._pass(records, cached, batch_row.offsets_between(row) <= evaluation.FEW_RECORDS)
            if self.looking:  # before anything is written
                log_position.check_not_remade(self.looking, self.result, self.last)
            row = batch_row.with_facts(row, passed.facts)
            if row.records and row.quarantined == row.records:
                row = replace(row, notes=(*row.notes, evaluation.reasons_of_bad(passed)))
            if passed.bad is not None:
                self._append(passed.bad, f"{result.name}_quarantine", row, requeued_sequence=None)
            written = self._append(passed.output, f"{result.name}_panes" if result.panes else result.name, row)
            if self.recent:
                self.recent.add(written)
            if passed.filters is not None and passed.filters.num_rows:
                row = self._filtered(row, passed.filters)
        seconds = time.monotonic() - begun
        if self.run.continuous and self._publish_due():  # a scheduled run publishes at its end
            row = self._published(spark, row)
        self._close(row)
        self.first_look = None
        if self.run.continuous and self.size.moved(row.records, seconds):
            raise Resized

    def _pass(self, records: DataFrame, cached: ExitStack, few: bool) -> evaluation.Outcome:
        result, filters = self.result, None
        if result.membership:
            name = f"{result.name}_filters"
            filters = delta_tables.read(self.run.places.table(name), self.last.tables[name]["version"])
        prior = Prior(batch_row.stream_micros(self.last), filters)
        passed = None if self.expects_doubtful else evaluation.fast(records, result, prior, cached, few)
        passed = passed or evaluation.exact(records, result, prior, cached)
        self.expects_doubtful = passed.has_doubtful
        return passed

    def _filtered(self, row: Row, found: pa.Table) -> Row:
        """Write the filters that the batch changed, drop those that no record can ask for any more."""
        sequence = pa.array([row.sequence] * found.num_rows, pa.int64())
        path = self.run.places.table(f"{self.result.name}_filters")
        self.run.step("before filters")
        replaced = batch_row.replaced_filters(found, self.result)
        delta_tables.replace(found.append_column("sequence", sequence), path, replaced, self._commit(row, "filters"))
        self.run.step("after filters")
        return batch_row.with_filters(row, found)

    def _append(self, rows: DataFrame | pa.Table, name: str, row: Row, **more: int | None) -> pa.Table | None:
        step = name.removeprefix(self.result.name).strip("_") or "rows"
        self.run.step(f"before {step}")
        numbers = {"sequence": row.sequence} | more
        written = delta_tables.append(rows, self.run.places.table(name), self._commit(row, step), numbers)
        self.run.step(f"after {step}")
        return written

    def _publish_due(self) -> bool:
        due = time.monotonic() - self.published_at >= durations.seconds(self.result.publish_every)
        return bool(self.result.windows) and due

    def _published(self, spark: SparkSession, row: Row) -> Row:
        since = self.last.published_sequence
        self.run.step("before windows")
        # A step of its own outside a batch: the next batch may get the same sequence, if this stops before the ledger.
        step = "windows" if row.kind == "batch" else recovery.PUBLISH
        publication.publish(spark, self.run.places, self.result, since, self._commit(row, step), self.recent)
        self.run.step("after windows")
        self.published_at = time.monotonic()
        return replace(row, published_sequence=row.sequence)

    def publish_rest(self) -> None:
        """Publish what batches have written since the last time, under a ledger row of its own.

        Not after a batch that failed: the row would take in what that has written.
        """
        if self.failure is None and self.result.windows and self.last.published_sequence < self.last.sequence:
            self._close(self._published(self.run.spark, self.last.next("publish")))

    def _close(self, row: Row) -> None:
        self.last = ledger.close(self.run, row, self._commit(row, "ledger"))
        if self.shown:
            self.shown.commit(self.last.end_offsets)
        housekeeping.after(self.run.places, self.result, self.last.sequence)
        self.run.closed(self.result.name, self.last, self._lag())

    def _lag(self) -> int | None:
        """Records in the log that are not read yet, as far as the source has said; None before it has."""
        sources: list[Any] = self.query.lastProgress["sources"] if self.query and self.query.lastProgress else []
        latest: dict[str, Any] = json.loads(sources[0]["latestOffset"] or "null") or {} if sources else {}
        latest = latest.get(self.result.topic.TOPIC, latest)
        ends = self.last.end_offsets
        return sum(max(0, end - ends.get(int(partition), 0)) for partition, end in latest.items()) if latest else None

    def _commit(self, row: Row, step: str) -> commits.Commit:
        return commits.Commit(
            self.result.name,
            str(row.generation),
            row.sequence,
            step,
            row.start_offsets,
            row.end_offsets,
            fingerprint.reading(self.result.topic),
        )
