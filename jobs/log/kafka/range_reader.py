"""Ranges of a topic in Kafka, read by librdkafka in the process that decodes them.

Only records of transactions that were committed. An offset may have no record, because compaction took it or because a
transaction ends there: so a range ends where an offset beyond it comes, or where the partition has no more.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from pyspark import TaskContext

from jobs.log.archive.file_reader import schema
from jobs.log.kafka.client import Unreachable, connect, refusal
from jobs.log.offsets import Offsets
from jobs.log.ranges import BLOCK_RECORDS, Range, join_blocks
from jobs.running.errors import BeyondCalendar, Refused
from jobs.running.kafka_access import Kafka

AT_ONCE, AT_MOST_SECONDS = 10_000, 0.1
"""The client hands over this many records, or what has come within this time."""
PATIENCE_SECONDS = 60.0
"""How long a partition may give nothing: a broker that starts again within half a minute stops no job."""
ANSWER_SECONDS = 5.0
"""How long it may then take to say what it knows of the topic."""
FETCH = {
    "check.crcs": True,
    "fetch.wait.max.ms": 20,
    "fetch.queue.backoff.ms": 10,
    "queued.max.messages.kbytes": 8_192,
    "queued.min.messages": BLOCK_RECORDS,
}
"""Options of librdkafka. What is asked for is there: the broker need not wait for more. It reads ahead, in a thread of
its own, a block or 8 MiB."""
_LOST = {
    KafkaError._AUTO_OFFSET_RESET,
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_PARTITION,
}
_LARGEST_MS = (2**63 - 1) // 1000
"""Largest record timestamp that microseconds can say."""

_consumers: dict["KafkaRanges", tuple[Any, list[KafkaError]]] = {}
"""Those of this process; with each the list of what went wrong in its connections."""


class KafkaRanges:
    """A jobs.log.ranges.RangeReader of a topic in Kafka."""

    def __init__(self, kafka: Kafka, topic: str, group: str) -> None:
        """`group`: name of the consumer group, for the broker's ACLs; nothing is committed to it."""
        self._kafka, self._topic, self._group = kafka, topic, group

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KafkaRanges) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self._topic, self._group))

    def plan(self, starts: Offsets, ends: Offsets) -> list[Range]:
        ranges = [Range(partition, starts.get(partition, 0), end) for partition, end in sorted(ends.items())]
        return [each for each in ranges if each.offsets > 0]

    def read(self, ranges: Sequence[Range], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        columns = pa.schema([schema().field(name) for name in names])
        consumer, client_errors = self._connect()
        try:
            for each in ranges:
                yield from join_blocks(self._chunks(consumer, each, columns))
            consumer.unassign()
        except KafkaException as error:
            self.close()
            raise self._refusal(error, client_errors) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        consumer, _ = _consumers.pop(self, (None, None))
        if consumer:
            consumer.close()

    def _connect(self) -> tuple[Any, list[KafkaError]]:
        """The consumer that this process has kept, or a new one. Raises Refused."""
        if self not in _consumers:
            if TaskContext.get():  # a worker has one task at a time; in the driver several results may be at work
                for other in list(_consumers):
                    other.close()
            options: dict[str, Any] = {"group.id": self._group, "enable.auto.commit": False}
            options |= {"isolation.level": "read_committed", "auto.offset.reset": "error", "enable.partition.eof": True}
            options |= FETCH
            _consumers[self] = connect(self._kafka, Consumer, **options)
        consumer, client_errors = _consumers[self]
        client_errors.clear()
        return consumer, client_errors

    def _chunks(self, consumer: Any, wanted: Range, columns: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The records of the range, as they come. Raises KafkaException."""
        consumer.assign([TopicPartition(self._topic, wanted.partition, wanted.start)])
        position, end_of_log, until = wanted.start, -1, time.monotonic() + PATIENCE_SECONDS
        while position < wanted.end:
            came = consumer.consume(min(AT_ONCE, wanted.end - position), AT_MOST_SECONDS)
            messages = [message for message in came if message.error() is None]
            offsets = list(map(Message.offset, messages))
            inside = bisect_left(offsets, wanted.end)
            if inside:
                yield self._to_arrow(messages[:inside], offsets[:inside], wanted.partition, columns)
            position = max([position, *(offset + 1 for offset in offsets[-1:])])
            if messages:
                end_of_log, until = -1, time.monotonic() + PATIENCE_SECONDS
            if len(messages) < len(came):
                end_of_log = _end_of_log(came)
                position = max(position, end_of_log)
            elif not messages and time.monotonic() > until:
                is_short = end_of_log >= 0
                raise KafkaException(
                    KafkaError(KafkaError.OFFSET_OUT_OF_RANGE) if is_short else self._cause_of_silence(consumer)
                )

    def _cause_of_silence(self, consumer: Any) -> KafkaError:
        """Why the broker gives nothing. A consumer of assigned partitions is not told that a topic is gone."""
        try:
            known = consumer.list_topics(self._topic, timeout=ANSWER_SECONDS).topics[self._topic]
        except KafkaException as error:
            return error.args[0]
        return known.error or KafkaError(KafkaError._TIMED_OUT)

    def _to_arrow(self, messages: list[Any], offsets: list[int], partition: int, columns: pa.Schema) -> pa.RecordBatch:
        stamps = [message.timestamp() for message in messages]
        made: dict[str, Any] = {}
        if "timestamp" in columns.names:
            made["timestamp"] = self._times(stamps, offsets, partition)
        if "key" in columns.names:
            made["key"] = pa.array(map(Message.key, messages), pa.binary(), size=len(messages))
        if "value" in columns.names:
            made["value"] = pa.array(map(Message.value, messages), pa.binary(), size=len(messages))
        if "timestampType" in columns.names:  # Java counts from -1: none
            made["timestampType"] = pa.array([kind - 1 for kind, _ in stamps], pa.int32())
        if "headers" in columns.names:
            made["headers"] = pa.array(map(_headers, messages), columns.field("headers").type, size=len(messages))
        same = {"topic": pa.scalar(self._topic), "partition": pa.scalar(partition, pa.int32())}
        made |= {name: pa.repeat(value, len(messages)) for name, value in same.items() if name in columns.names}
        made["offset"] = pa.array(offsets, pa.int64())
        return pa.RecordBatch.from_arrays([made[name] for name in columns.names], schema=columns)

    def _times(self, stamps: list[tuple[int, int]], offsets: list[int], partition: int) -> pa.Array:
        """Record timestamps in microseconds. Raises BeyondCalendar."""
        times = np.array([milliseconds for _, milliseconds in stamps], np.int64)
        beyond = np.flatnonzero(np.abs(times) > _LARGEST_MS)
        if len(beyond):
            raise BeyondCalendar(f"topic {self._topic} partition {partition} offset {offsets[beyond[0]]}")
        return pa.array(times * 1000).cast(pa.timestamp("us", "UTC"))

    def _refusal(self, error: KafkaException, client_errors: list[KafkaError]) -> Refused:
        code = error.args[0].code()
        if code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            return Unreachable("the broker does not let this user read the topic: an ACL is missing.")
        if code == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return Unreachable(
                "the broker does not let this user read under the result's name: an ACL is missing, READ on the "
                "groups that begin with it."
            )
        if code in _LOST:
            return Refused(
                f"topic {self._topic} has lost records while they were read, or was deleted. Run again: the next run "
                "says which."
            )
        return refusal(self._kafka, error, client_errors)


def _end_of_log(came: list[Any]) -> int:
    """The offset at which the partition has no more for now; -1 if it has. Raises KafkaException for a fault."""
    end = -1
    for message in came:
        fault = message.error()
        if fault is None:
            continue
        if fault.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(fault)
        end = message.offset()
    return end


def _headers(message: Any) -> list[dict[str, Any]] | None:
    return [{"key": key, "value": value} for key, value in message.headers() or ()] or None
