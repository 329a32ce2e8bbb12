"""When a result is published: in a batch that finds it due, or after it, while no batch comes, and at the end."""

import threading
import time
from dataclasses import dataclass, field, replace

import pyarrow as pa
from pyspark.sql import SparkSession

from jobs.answers.result import Result
from jobs.keeping.answer_publication import publish_answers, with_feed
from jobs.keeping.deliveries import Deliveries
from jobs.keeping.ledger import Row
from jobs.keeping.ledger_writer import LedgerWriter
from jobs.keeping.steps import Kind, Step, announce
from jobs.publishing import publication, ranking_publication, version_feed
from jobs.publishing.event_publication import EventPublisher
from jobs.publishing.finality import Finality
from jobs.publishing.pane_cache import PaneCache
from jobs.run import Run
from jobs.running import durations


@dataclass
class PublishSchedule:
    """Publishes one result, if there is anything to publish."""

    run: Run
    result: Result
    ledger: LedgerWriter
    write_lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by whoever writes. Spark runs batches one after another in its own thread, but the thread that watches the
    query publishes between them."""
    published_at: float = field(default_factory=time.monotonic)
    """When it was published last, by time.monotonic; at first, when the run began."""
    batch_failed: bool = False
    """Whether a batch failed. It may have written panes, which a publication would take in without their ledger row."""
    _pane_cache: PaneCache | None = field(init=False, default=None)
    """None if the result has no windows, or publishes them once, at the end."""
    _events: EventPublisher | None = field(init=False, default=None)
    """None if the result has no answers of events."""
    _deliveries: Deliveries = field(init=False)

    def __post_init__(self) -> None:
        self._deliveries = Deliveries(self.run, self.result)
        if self.result.windows and self.run.continuous:
            self._pane_cache = PaneCache(self.run.places.table(self.result.table("panes")), self.result)
        if self.result.event_answers:
            self._events = EventPublisher(self.run.spark, self.run.places, self.result, bool(self.run.continuous))

    def record_panes(self, written: pa.Table | None) -> None:
        """Partial panes were appended; None if they did not go through this process."""
        if self._pane_cache:
            self._pane_cache.record_append(written)

    def record_events(self, topic: str, written: pa.Table | None) -> None:
        """Events of a topic were appended; None if they did not go through this process."""
        if self._events:
            self._events.record_append(topic, written)

    def is_due(self) -> bool:
        """Whether the last publication is `publish_every` ago, or longer. Decided rows are published with their batch,
        and delivered at once.
        """
        if self.result.has_decided_rows:
            return bool(self.result.deliver)
        due = time.monotonic() - self.published_at >= durations.seconds(self.result.publish_every)
        return self.result.is_published and due

    def publish_now(self, spark: SparkSession, row: Row) -> Row:
        """Publish windows: what the ledger has, and what the batch has written that `row` will close, if it is of a
        batch.
        """
        step = Step.WINDOWS if row.kind == Kind.BATCH else Step.PUBLISH
        last = self.ledger.last
        places, result = self.run.places, self.result
        version = version_feed.version(places, result) if result.uses_window_changes else 0
        finality = Finality(last.published_complete_time, row.complete_time)
        commit = self.ledger.commit(row, step)
        with announce(self.run.step, Step.WINDOWS):
            publication.publish(
                *(spark, places, result, last.published_sequence, finality, commit), cache=self._pane_cache
            )
        ranked: dict[str, pa.Table | None] = {}
        if result.rankings:
            with announce(self.run.step, Step.PUBLISH):
                ranked = ranking_publication.update(places, result, version, finality, commit)
        row = with_feed(
            *(places, self.run.step, result, last, row),
            lambda: {"": version_feed.changes(places, result, version)} | ranked,
            self.ledger.commit,
        )
        self.published_at = time.monotonic()
        return replace(row, published_sequence=row.sequence, published_complete_time=row.complete_time)

    def publish_rest(self, ends_run: bool = False) -> None:
        """Publish what batches have written since the last time, under a ledger row of its own, and deliver what
        waits. A run that ends shows the rows of events that nothing decides yet, too.
        """
        self._publish_rest(ends_run)
        self._deliveries.send(self.ledger, ends_run)

    def _publish_rest(self, ends_run: bool) -> None:
        last = self.ledger.last
        has_open = bool(self._events) and ends_run and last.open_sequence < last.published_sequence
        if not self.result.is_published or (last.published_sequence >= last.sequence and not has_open):
            return
        row = last.next(Kind.PUBLISH, notes=self._deliveries.take_notes())
        if self.result.windows:
            self.ledger.close(self.publish_now(self.run.spark, row))
        else:
            self.ledger.close(self._publish_answers(row, ends_run))

    def _publish_answers(self, row: Row, ends_run: bool) -> Row:
        """Publish sessions or answers of events, never within a batch: the ledger must have what is published."""
        last = self.ledger.last
        row = replace(row, open_sequence=row.sequence if ends_run else row.open_sequence)
        versions = {name: table["version"] for name, table in last.tables.items()}
        row = publish_answers(self.run, self.result, last, row, versions, self.ledger.commit, self._events)
        self.published_at = time.monotonic()
        return row

    def publish_while_idle(self) -> None:
        """Publish what is due, if no batch is at work: it may be long until the next one comes."""
        if not self.run.continuous or not self.write_lock.acquire(blocking=False):
            return
        try:
            if self.is_due() and not self.batch_failed:
                self.publish_rest()
        finally:
            self.write_lock.release()
