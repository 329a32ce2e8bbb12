"""Records of Kafka without Spark, for people who look at a topic."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaError, KafkaException, TopicPartition

from jobs.log.archive.file_reader import schema
from jobs.log.archive.snapshot import Ends
from jobs.log.kafka import topics
from jobs.running.kafka_access import Kafka

GROUP = "headrace-look"
"""Group of a reader that commits nothing."""
AT_ONCE, AT_MOST_SECONDS = 1_000, 0.1
"""The client hands over so many records, or what has come in so long."""


def ends(kafka: Kafka, topic: str) -> list[Ends]:
    """What each partition holds, by partition. `records` counts offsets: some may be of transactions, or compacted."""
    found = topics.existing(kafka, topic)
    with _Reader(kafka, topic) as reader:
        return [reader.ends(part, found.firsts[part], end) for part, end in sorted(found.ends.items())]


def held(kafka: Kafka, topic: str) -> list[Ends]:
    """What each partition has that is not for readers of committed records yet: from the first open transaction on."""
    readable = topics.existing(kafka, topic).ends
    written = topics.written(kafka, topic, readable)
    waiting = [(part, end, written[part]) for part, end in sorted(readable.items()) if written[part] > end]
    if not waiting:
        return []
    with _Reader(kafka, topic, committed=False) as reader:
        return [reader.ends(*each) for each in waiting]


def records(kafka: Kafka, topic: str, partition: int, offset: int, limit: int) -> pa.Table:
    """At most `limit` committed records from `offset` on, in order, in the archive's columns. Raises Refused."""
    found = topics.existing(kafka, topic)
    start = max(offset, found.firsts.get(partition, 0))
    with _Reader(kafka, topic) as reader:
        rows = [reader.row(message) for message in reader.messages(partition, start, found.ends[partition], limit)]
    return pa.Table.from_pylist(rows, schema=schema())


def offsets(kafka: Kafka, topic: str, partition: int, span: tuple[int, int], committed: bool) -> list[int]:
    """The offsets in [first, after) that have a record; without `committed` those of aborted transactions too."""
    with _Reader(kafka, topic, committed) as reader:
        return [message.offset() for message in reader.messages(partition, *span, span[1] - span[0])]


class _Reader:
    """A consumer that is told where to read."""

    def __init__(self, kafka: Kafka, topic: str, committed: bool = True) -> None:
        self._kafka, self._topic = kafka, topic
        said = {"group.id": GROUP, "enable.auto.commit": False, "enable.partition.eof": True}
        said |= {"isolation.level": f"read_{'committed' if committed else 'uncommitted'}", "auto.offset.reset": "error"}
        self._consumer, self._heard = topics.client(kafka, Consumer, **said)

    def __enter__(self) -> "_Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def ends(self, partition: int, first: int, end: int) -> Ends:
        if first >= end:
            return Ends(partition, None, None, 0, None, None)
        times = []
        for near in (first, end - 1):
            found = next(self.messages(partition, near, end, 1), None)
            times.append(None if found is None else _moment(found))
        return Ends(partition, first, end - 1, end - first, *times)

    def messages(self, partition: int, start: int, end: int, limit: int) -> Iterator[Any]:
        """At most `limit` records with an offset in [start, end). Raises Refused."""
        self._consumer.assign([TopicPartition(self._topic, partition, start)])
        until = time.monotonic() + topics.TIMEOUT_SECONDS
        try:
            while limit > 0:
                found = self._consumer.consume(min(limit, AT_ONCE), AT_MOST_SECONDS)
                if not found and time.monotonic() > until:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
                until = time.monotonic() + topics.TIMEOUT_SECONDS if found else until
                for message in found:
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
            raise topics.refusal(self._kafka, error, self._heard) from None

    def row(self, message: Any) -> dict[str, Any]:
        kind, _ = message.timestamp()
        return {
            "key": message.key(),
            "value": message.value(),
            "topic": self._topic,
            "partition": message.partition(),
            "offset": message.offset(),
            "timestamp": _moment(message),
            "timestampType": int(kind == TIMESTAMP_LOG_APPEND_TIME),
            "headers": [{"key": key, "value": value} for key, value in message.headers() or ()] or None,
        }


def _moment(message: Any) -> datetime:
    return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
