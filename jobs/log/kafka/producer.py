"""The producer of Kafka: idempotent, each record acknowledged by all replicas, keys in the archive's partitions."""

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa
from confluent_kafka import KafkaException, Message, Producer

from jobs.log.archive.writer import Appended
from jobs.log.kafka.client import connect, refusal
from jobs.log.kafka.target import Target
from jobs.log.partitioner import partitions_of
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka

SETTINGS: dict[str, Any] = {"enable.idempotence": True, "acks": "all", "linger.ms": 20, "compression.type": "zstd"}
SETTINGS["message.timeout.ms"] = 60_000
"""A record that no broker takes within a minute ends the command."""


def append(
    kafka: Kafka,
    topic: str,
    partitions: int | None,
    records: Iterable[pa.RecordBatch],
    retention_ms: int | None = None,
    oldest_ms: Callable[[], int | None] | None = None,
) -> Appended:
    """Send `records` (key, value, timestamp, optionally headers, partition) in their order; wait until all are there.

    Without a column `partition` the key chooses it, and records without a key go round the partitions, as in the
    archive. A topic that is not there is made once the first records have come, with `partitions` (None: 4) and with
    `retention_ms`, in milliseconds, -1 for ever; None takes what the broker or the topic has.

    Records that the topic's retention would delete at once are refused: before anything is sent if `oldest_ms` gives
    the least timestamp of all, in milliseconds (it is called only if the topic does not keep all), else when they come.
    What was sent before an error stays: Kafka takes nothing back. Raises Refused.
    """
    target = Target(kafka, topic, partitions, retention_ms)
    if oldest_ms is not None and not target.keeps_all and target.is_too_old(oldest_ms()):
        raise target.refusal(0)
    sender = _Sender(kafka, target)
    keyless = 0
    for batch in records:
        if "partition" in batch.schema.names:
            chosen = batch["partition"].to_pylist()
        else:
            chosen = partitions_of(batch["key"], target.partitions, keyless).tolist()
            keyless += batch["key"].null_count
        sender.send(batch, chosen)
    target.make()
    return sender.finish()


class _Sender:
    """Sends records, and counts those that have arrived."""

    def __init__(self, kafka: Kafka, target: Target) -> None:
        self._kafka, self._target, self._topic = kafka, target, target.topic
        self._producer, self._client_errors = connect(kafka, Producer, **SETTINGS)
        self._failed: list[Any] = []
        self._done = Appended(0, {})

    def send(self, batch: pa.RecordBatch, partitions: list[int]) -> None:
        times = batch["timestamp"].cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64()).to_pylist()
        oldest = min(times, default=None)
        self._check_age(oldest)
        if self._target.is_new:
            self._target.make()
            self._check_age(oldest)  # the new topic may have got a retention that the broker does not tell
        headers = batch["headers"].to_pylist() if "headers" in batch.schema.names else [None] * batch.num_rows
        keys, values = batch["key"].to_pylist(), batch["value"].to_pylist()
        for key, value, time_ms, pairs, partition in zip(keys, values, times, headers, partitions, strict=True):
            self._send(key, value, partition, time_ms, [(pair["key"], pair["value"]) for pair in pairs or ()])
        self._producer.poll(0)
        self._check()

    def _check_age(self, oldest_ms: int | None) -> None:
        """Raises Refused for records that the topic's retention would delete as soon as they are there."""
        if self._target.is_too_old(oldest_ms):
            raise self._target.refusal(self.finish().records)

    def _send(self, key: Any, value: Any, partition: int, time_ms: int, headers: list[tuple[str, Any]]) -> None:
        more: dict[str, Any] = {"headers": headers} if headers else {}
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, partition, on_delivery=self._on_delivery, timestamp=time_ms, **more
                )
                return
            except BufferError:
                self._producer.poll(1)
                self._check()
            except KafkaException as error:
                raise self._refusal(error.args[0]) from None

    def _on_delivery(self, error: Any, message: Message) -> None:
        if error is not None:
            self._failed.append(error)
            return
        partition, offset = message.partition(), message.offset()
        start, end = self._done.ranges.get(partition, (offset, offset))
        self._done.records += 1
        self._done.ranges[partition] = (min(start, offset), max(end, offset + 1))

    def finish(self) -> Appended:
        while self._producer.flush(10):
            self._check()
        self._check()
        return self._done

    def _check(self) -> None:
        if self._failed:
            raise self._refusal(self._failed[0])

    def _refusal(self, error: Any) -> Refused:
        reason = refusal(self._kafka, KafkaException(error), self._client_errors)
        return Refused(
            f"topic {self._topic}: {self._done.records:,} records are in Kafka, the others are not. {reason}"
        )
