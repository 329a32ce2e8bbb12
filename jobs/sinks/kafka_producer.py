"""The producer of Kafka: idempotent, each record acknowledged by all replicas, keys in the archive's partitions."""

import time
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from confluent_kafka import KafkaException, Message, Producer

from jobs.broker import topics
from jobs.broker.access import Kafka
from jobs.run import Refused
from jobs.sinks.archive import Appended
from jobs.sinks.archive_topic import DEFAULT_PARTITIONS, check_topic
from jobs.sinks.partitioner import partitions_of

SETTINGS: dict[str, Any] = {"enable.idempotence": True, "acks": "all", "linger.ms": 20, "compression.type": "zstd"}
SETTINGS["message.timeout.ms"] = 60_000
"""A record that no broker takes within a minute ends the command."""


def append(kafka: Kafka, topic: str, partitions: int | None, records: Iterable[pa.RecordBatch]) -> Appended:
    """Send `records` (key, value, timestamp, optionally headers, partition) in their order; wait until all are there.

    Without a column `partition` the key chooses it, and records without a key go round the partitions, as in the
    archive. `partitions` counts for a topic that is made now; None takes what is there, else 4. What was sent before an
    error stays: Kafka takes nothing back. Raises Refused.
    """
    check_topic(topic)
    count = _partitions(kafka, topic, partitions)
    sending = _Sending(kafka, topic, _kept_ms(kafka, topic))
    keyless = 0
    for batch in records:
        if "partition" in batch.schema.names:
            chosen = batch["partition"].to_pylist()
        else:
            chosen = partitions_of(batch["key"], count, keyless).tolist()
            keyless += batch["key"].null_count
        sending.send(batch, chosen)
    return sending.finish()


def _partitions(kafka: Kafka, topic: str, asked: int | None) -> int:
    """How many the topic has, made if it is not there. Raises Refused if another number is asked for."""
    if asked is not None and asked < 1:
        raise Refused(f"topic {topic}: a topic has 1 partition or more, not {asked}.")
    found = topics.describe(kafka, topic)
    if found is None:
        topics.create(kafka, topic, asked or DEFAULT_PARTITIONS)
        return asked or DEFAULT_PARTITIONS
    if asked not in (None, len(found.ends)):
        raise Refused(
            f"topic {topic} on {kafka.servers} has {len(found.ends)} partitions, not {asked}: keys would move. "
            f"Leave the number out or give {len(found.ends)}."
        )
    return len(found.ends)


def _kept_ms(kafka: Kafka, topic: str) -> int | None:
    """How long the topic keeps a record after its own timestamp; None: for ever, or after its arrival."""
    said = topics.settings(kafka, topic)
    kept = int(said.get("retention.ms", -1))
    by_record = said.get("message.timestamp.type") != "LogAppendTime" and "delete" in said.get(
        "cleanup.policy", "delete"
    )
    return kept if kept >= 0 and by_record else None


class _Sending:
    """Records on their way, and what became of them."""

    def __init__(self, kafka: Kafka, topic: str, kept_ms: int | None) -> None:
        self._kafka, self._topic, self._kept_ms = kafka, topic, kept_ms
        self._producer, self._heard = topics.client(kafka, Producer, **SETTINGS)
        self._failed: list[Any] = []
        self._done = Appended(0, {})

    def send(self, batch: pa.RecordBatch, partitions: list[int]) -> None:
        times = batch["timestamp"].cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64()).to_pylist()
        self._check_age(min(times, default=None))
        headers = batch["headers"].to_pylist() if "headers" in batch.schema.names else [None] * batch.num_rows
        keys, values = batch["key"].to_pylist(), batch["value"].to_pylist()
        for key, value, moment, more, partition in zip(keys, values, times, headers, partitions, strict=True):
            self._send(key, value, partition, moment, [(h["key"], h["value"]) for h in more or ()])
        self._producer.poll(0)
        self._check()

    def _check_age(self, oldest: int | None) -> None:
        """Raises Refused for records that the topic's retention would delete as soon as they are there."""
        if oldest is None or self._kept_ms is None or oldest >= time.time() * 1000 - self._kept_ms:
            return
        raise Refused(
            f"topic {self._topic} keeps records for {self._kept_ms / 86_400_000:,.1f} days after their timestamp, and "
            f"some are older: Kafka would delete them at once. {self._done.records:,} records are in Kafka. Change it: "
            f"kafka-configs --alter --entity-type topics --entity-name {self._topic} --add-config retention.ms=-1"
        )

    def _send(self, key: Any, value: Any, partition: int, moment: int, headers: list[tuple[str, Any]]) -> None:
        more: dict[str, Any] = {"headers": headers} if headers else {}
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, partition, on_delivery=self._delivered, timestamp=moment, **more
                )
                return
            except BufferError:
                self._producer.poll(1)
                self._check()
            except KafkaException as error:
                raise self._refusal(error.args[0]) from None

    def _delivered(self, error: Any, message: Message) -> None:
        if error is not None:
            self._failed.append(error)
            return
        partition, offset = message.partition(), message.offset()
        first, after = self._done.ranges.get(partition, (offset, offset))
        self._done.records += 1
        self._done.ranges[partition] = (min(first, offset), max(after, offset + 1))

    def finish(self) -> Appended:
        while self._producer.flush(10):
            self._check()
        self._check()
        return self._done

    def _check(self) -> None:
        if self._failed:
            raise self._refusal(self._failed[0])

    def _refusal(self, error: Any) -> Refused:
        why = topics.refusal(self._kafka, KafkaException(error), self._heard)
        return Refused(f"topic {self._topic}: {self._done.records:,} records are in Kafka, the others are not. {why}")
