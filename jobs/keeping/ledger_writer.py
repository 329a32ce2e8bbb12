"""Closes batches and publications by a ledger row, and then tells the consumer group and whoever watches the run."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pyspark.sql.streaming.query import StreamingQuery

from jobs.answers.result import Result
from jobs.keeping import feed_retention, housekeeping, ledger
from jobs.keeping.definition import fingerprint
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Step
from jobs.lake import commits
from jobs.log.kafka.groups import OffsetReporter
from jobs.run import Run


@dataclass
class LedgerWriter:
    """Closes the batches and publications of one result."""

    run: Run
    result: Result
    last: Row
    """The ledger's last row."""
    query: StreamingQuery | None = None
    """The query that runs, which knows how much of the log is left to read."""
    consumer_groups: dict[str, OffsetReporter] = field(init=False, default_factory=dict)
    """By topic, who tells the result's consumer group how far it was read, if the log is in Kafka."""

    def __post_init__(self) -> None:
        if self.run.places.log == "kafka":
            kafka = self.run.places.kafka
            assert kafka
            for topic in self.result.topics:
                self.consumer_groups[topic] = OffsetReporter(kafka, self.result.name, topic, self.run.say)

    def commit(self, row: Row, step: Step) -> commits.Commit:
        """The commit of a step that `row` will close."""
        return commits.Commit(
            self.result.name,
            str(row.generation),
            row.sequence,
            step,
            row.start_offsets,
            row.end_offsets,
            {name: read.end_offsets for name, read in row.further_topics.items()},
            fingerprint.schema_fingerprints(reads.topic for reads in self.result.all_reads),
        )

    def close(self, row: Row) -> None:
        """Write `row` after the last commit of its steps. Raises Refused if another run has written to the tables."""
        before = self.last
        has_expiry = housekeeping.is_due(before.published_sequence, row.published_sequence)
        if has_expiry:
            stream_time = row.least_stream_time(self.result.topics)
            expired = housekeeping.expired_stream_time(self.result, row.expired_stream_time, stream_time)
            row = replace(row, expired_stream_time=expired)
        self.last = ledger.close(self.run, row, self.commit(row, Step.LEDGER))
        positions = self.last.positions(self.result.topics)
        for topic, group in self.consumer_groups.items():
            group.commit(positions[topic].end_offsets)
        if has_expiry:
            housekeeping.expire(self.run.places, self.result, self.last.expired_stream_time)
            housekeeping.remove_published(self.run.places, self.result, self.last.settled_sequence)
        if housekeeping.is_due(before.sequence, self.last.sequence):
            housekeeping.compact(self.run.places, self.result)
            feed_retention.remove(self.run.places, self.result, self.last.delivered_sequence, datetime.now(UTC))
        self.run.closed(self.result.name, self.last, self._lag())

    def _lag(self) -> int | None:
        """Records in the log that are not read yet, as far as the source has reported; None before it has."""
        sources: list[Any] = self.query.lastProgress["sources"] if self.query and self.query.lastProgress else []
        left = []
        for (topic, read), source in zip(self.last.positions(self.result.topics).items(), sources, strict=False):
            latest: dict[str, Any] = json.loads(source["latestOffset"] or "null") or {}
            latest = latest.get(topic, latest)
            left += [max(0, end - read.end_offsets.get(int(partition), 0)) for partition, end in latest.items()]
        return sum(left) if left else None
