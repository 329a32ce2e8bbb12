"""When the windows of a result are published: in a batch that finds them due, while no batch comes, and at the end."""

import threading
import time
from dataclasses import dataclass, field, replace

from pyspark.sql import SparkSession

from jobs.answers.result import Result
from jobs.keeping.ledger import Row
from jobs.keeping.ledger_writer import LedgerWriter
from jobs.keeping.steps import Kind, Step, announce
from jobs.publishing import publication
from jobs.publishing.finality import Finality
from jobs.publishing.pane_cache import PaneCache
from jobs.run import Run
from jobs.running import durations


@dataclass
class PublishSchedule:
    """Publishes the windows of one result, if it has any."""

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
    pane_cache: PaneCache | None = field(init=False, default=None)
    """None if the result has no windows, or publishes them once, at the end."""

    def __post_init__(self) -> None:
        if self.result.windows and self.run.continuous:
            self.pane_cache = PaneCache(self.run.places.table(self.result.table("panes")), self.result)

    def is_due(self) -> bool:
        """Whether the last publication is `publish_every` ago, or longer."""
        due = time.monotonic() - self.published_at >= durations.seconds(self.result.publish_every)
        return bool(self.result.windows) and due

    def publish_now(self, spark: SparkSession, row: Row) -> Row:
        """Publish what the ledger has, and what the batch has written that `row` will close, if it is of a batch."""
        step = Step.WINDOWS if row.kind == Kind.BATCH else Step.PUBLISH
        last = self.ledger.last
        finality = Finality(last.published_complete_time, row.complete_time)
        with announce(self.run.step, Step.WINDOWS):
            commit = self.ledger.commit(row, step)
            publication.publish(
                *(spark, self.run.places, self.result, last.published_sequence, finality, commit), cache=self.pane_cache
            )
        self.published_at = time.monotonic()
        return replace(row, published_sequence=row.sequence, published_complete_time=row.complete_time)

    def publish_rest(self) -> None:
        """Publish what batches have written since the last time, under a ledger row of its own."""
        last = self.ledger.last
        if self.result.windows and last.published_sequence < last.sequence:
            self.ledger.close(self.publish_now(self.run.spark, last.next(Kind.PUBLISH)))

    def publish_while_idle(self) -> None:
        """Publish windows that are due, if no batch is at work: it may be long until the next one comes."""
        if not self.run.continuous or not self.write_lock.acquire(blocking=False):
            return
        try:
            if self.is_due() and not self.batch_failed:
                self.publish_rest()
        finally:
            self.write_lock.release()
