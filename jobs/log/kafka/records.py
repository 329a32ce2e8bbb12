"""Records of Kafka, read without Spark for people who look at a topic."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, KafkaException, TopicPartition

from jobs.log.archive.file_reader import schema
from jobs.log.kafka import topics
from jobs.log.kafka.client import connect, refusal
from jobs.log.kafka.patience import remember, timeout_seconds
from jobs.log.topic import Extent
from jobs.running.instants import from_kafka
from jobs.running.kafka_access import Kafka

GROUP = "headrace-look"
"""Group of a reader that commits nothing."""
FETCH_MS = 10
"""So long a broker may keep a question for new records open. Until it answers, the next partition is not asked for."""
AT_ONCE, AT_MOST_SECONDS = 1_000, 0.1
"""The client hands over this many records, or what has come within this time."""


@remember
def extents(kafka: Kafka, topic: str) -> list[Extent]:
    """What each partition holds, by partition. `records` counts offsets: some may be of transactions, or compacted."""
    now = topics.require(kafka, topic)
    with _Reader(kafka, topic) as reader:
        return [reader.extent(partition, now.firsts[partition], end) for partition, end in sorted(now.ends.items())]


@remember
def open_transactions(kafka: Kafka, topic: str) -> list[Extent]:
    """Of each partition with an open transaction, what it holds from the transaction's first record on: readers of
    committed records do not see it yet.
    """
    readable = topics.require(kafka, topic).ends
    written = topics.written_ends(kafka, topic, readable)
    spans = [(partition, end, written[partition]) for partition, end in sorted(readable.items())]
    waiting = [span for span in spans if span[2] > span[1]]
    if not waiting:
        return []
    with _Reader(kafka, topic, committed=False) as reader:
        return [reader.extent(*span) for span in waiting]


def records(kafka: Kafka, topic: str, partition: int, offset: int, limit: int) -> pa.Table:
    """At most `limit` committed records from `offset` on, in order, in the archive's columns. Raises Refused."""
    now = topics.require(kafka, topic)
    start = max(offset, now.firsts.get(partition, 0))
    with _Reader(kafka, topic) as reader:
        rows = [reader.row(message) for message in reader.messages(partition, start, now.ends[partition], limit)]
    return pa.Table.from_pylist(rows, schema=schema())


def offsets(kafka: Kafka, topic: str, partition: int, span: tuple[int, int], committed: bool) -> list[int]:
    """The offsets in the span [start, end) with a record; unless `committed`, also those of aborted transactions."""
    with _Reader(kafka, topic, committed) as reader:
        return [message.offset() for message in reader.messages(partition, *span, span[1] - span[0])]


class _Reader:
    """A consumer that is assigned what to read, and commits nothing."""

    def __init__(self, kafka: Kafka, topic: str, committed: bool = True) -> None:
        self._kafka, self._topic = kafka, topic
        options = {"group.id": GROUP, "enable.auto.commit": False, "enable.partition.eof": True}
        options |= {"isolation.level": "read_committed" if committed else "read_uncommitted"}
        options |= {"auto.offset.reset": "error", "fetch.wait.max.ms": FETCH_MS}
        self._consumer, self._client_errors = connect(kafka, Consumer, **options)

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def extent(self, partition: int, start: int, end: int) -> Extent:
        if start >= end:
            return Extent(partition, None, None, 0, None, None)
        times = []
        for offset in (start, end - 1):
            message = next(self.messages(partition, offset, end, 1), None)
            times.append(None if message is None else _timestamp(message))
        return Extent(partition, start, end - 1, end - start, *times)

    def messages(self, partition: int, start: int, end: int, limit: int) -> Iterator[Any]:
        """At most `limit` records with an offset in [start, end). Raises Refused."""
        self._consumer.assign([TopicPartition(self._topic, partition, start)])
        until = time.monotonic() + timeout_seconds()
        try:
            while limit > 0:
                messages = self._consumer.consume(min(limit, AT_ONCE), AT_MOST_SECONDS)
                if not messages and time.monotonic() > until:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
                until = time.monotonic() + timeout_seconds() if messages else until
                for message in messages:
                    fault = message.error()
                    if fault is not None and fault.code() == KafkaError._PARTITION_EOF:
                        return
                    if fault is not None:
                        raise KafkaException(fault)
                    if message.offset() >= end:
                        return
                    yield message
                    limit -= 1
        except KafkaException as error:
            raise refusal(self._kafka, error, self._client_errors) from None

    def row(self, message: Any) -> dict[str, Any]:
        kind, _ = message.timestamp()
        return {
            "key": message.key(),
            "value": message.value(),
            "topic": self._topic,
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": _timestamp(message),
            "timestampType": int(kind == TIMESTAMP_LOG_APPEND_TIME),
            "headers": [{"key": key, "value": value} for key, value in message.headers() or ()] or None,
        }


def _timestamp(message: Any) -> datetime:
    return from_kafka(message.timestamp()[1])
