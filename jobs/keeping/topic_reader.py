"""One topic of a result, batch by batch: where a batch begins and ends in it, and what its records come to."""

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property

from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.keeping import checkpoint, exact_pass, log_position
from jobs.keeping.fast_pass import FastPass
from jobs.keeping.ledger import Position
from jobs.keeping.outcome import Outcome
from jobs.log import home
from jobs.log.batch_records import BatchRecords
from jobs.log.kafka.topics import TopicProbe
from jobs.log.offsets import Offsets
from jobs.log.ranges import RangeReader
from jobs.run import Run
from jobs.running import mistakes

FEW_TO_TRY = 10_000
"""So many records get the fast pass first, even if doubtful ones are expected among them: it takes a twentieth of a
second, in vain or not, and the exact pass a second or more.
"""


@dataclass
class TopicReader:
    """Reads one topic for the batches of one result."""

    run: Run
    reading: Result
    """The result, as if it read this topic alone."""
    source: int
    """The place of the topic among those that the result reads."""
    expects_doubtful: bool = False
    """Whether the next batch is likely to hold doubtful records: a log that had some in one has some in the next."""
    _probe: TopicProbe | None = field(init=False, default=None)
    """Asks Kafka for the topic's id, if the log is there."""
    _range_reader: RangeReader = field(init=False)
    """Reads what Spark's query has planned."""

    def __post_init__(self) -> None:
        if self.run.places.log == "kafka":
            assert self.run.places.kafka
            self._probe = TopicProbe(self.run.places.kafka, self.topic)
        self._range_reader = home.range_reader(self.run.places, self.topic, self.reading.name)

    @property
    def topic(self) -> str:
        """Name of the topic."""
        return str(self.reading.topic.TOPIC)

    def close(self) -> None:
        """Let go of the connections that are kept for the next batch."""
        self._range_reader.close()

    def log_ends(self) -> Offsets:
        """Where the log ends now."""
        return dict(home.topic(self.run.places, self.topic).ends)

    def planned_ends(self, folder: str, batch_id: int) -> Offsets:
        """Where a batch ends, as Spark has planned it in the checkpoint `folder`."""
        return checkpoint.end_offsets(self.run.spark, folder, batch_id, self.source)

    def starts(self, folder: str, batch_id: int, last: Offsets, ends: Offsets) -> Offsets:
        """Where a batch starts that ends at `ends`, and follows what was read up to `last`. A partition that no start
        is known of is read from its first record.
        """
        if not last and batch_id == 0:
            return checkpoint.first_offsets(self.run.spark, folder, self.source) or {}
        # Spark reads a partition that is new from offset 0, or stops if it no longer has that.
        return {partition: last.get(partition, 0) for partition in ends} if last else {}

    def evaluate(self, read: Position, starts: Offsets, prior: Prior, cached: ExitStack) -> Outcome:
        """What the records of a batch come to; `cached` gets the frames of the outcome."""
        with mistakes.note_records(self.topic, read.start_offsets, read.end_offsets):
            records = BatchRecords(
                self.run.spark, self._range_reader, self._range_reader.plan(starts, read.end_offsets)
            )
            is_tried = not self.expects_doubtful or records.offsets <= FEW_TO_TRY
            found = self._fast_pass.evaluate(records, prior, cached) if is_tried else None
            found = found or exact_pass.evaluate(records, self.reading, prior, cached)
        self.expects_doubtful = found.has_doubtful
        return found

    def check_topic_id(self, last: Position) -> None:
        """Raises Refused if the topic is not the one that the ledger knows."""
        if self._probe:
            log_position.check_topic_id(self._probe, self.reading, self.topic, last.topic_id)

    @cached_property
    def _fast_pass(self) -> FastPass:
        return FastPass(self.run.spark, self.reading)
