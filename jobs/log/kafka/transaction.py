"""Records into a topic of Kafka in one transaction, with a number that tells later how far the topic is filled.

The number is an offset that the transaction commits for partition 0 of the topic under a consumer group of its own:
records and number are there together, or not at all. Readers of committed records see each record once.
"""

from typing import Any

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from jobs.log.kafka import topics
from jobs.log.kafka.client import connect, refusal
from jobs.log.kafka.patience import timeout_seconds
from jobs.log.kafka.producer import SETTINGS
from jobs.log.kafka.target import Target
from jobs.log.partitioner import partitions_of
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka

TRANSACTION_SECONDS = 600
"""A transaction that is open for longer is aborted by the broker, which allows 900 unless its settings say less."""


class TransactionalProducer:
    """Fills one topic. Of two with the same `name` the older one can send nothing any more."""

    def __init__(self, kafka: Kafka, topic: str, name: str, group: str, origin: str) -> None:
        """Makes the topic if it is not there, with 4 partitions. `name`: the transactional id; `group`: under which the
        number is committed; `origin`: where it comes from, as a number of another origin tells nothing. Raises Refused.
        """
        self._kafka, self._topic, self._origin = kafka, topic, origin
        target = Target(kafka, topic, None, None)
        target.make()
        self._partitions = target.partitions
        options = SETTINGS | {"transactional.id": name, "transaction.timeout.ms": TRANSACTION_SECONDS * 1000}
        self._producer, self._client_errors = connect(kafka, Producer, **options)
        self._consumer, self._consumer_errors = connect(
            kafka, Consumer, **{"group.id": group, "enable.auto.commit": False, "isolation.level": "read_committed"}
        )
        try:
            self._producer.init_transactions(timeout_seconds())  # ends what a run that was killed has left open
        except KafkaException as error:
            raise self._refusal(error) from None

    def number(self) -> int:
        """The number of the last transaction; 0 if there is none. Raises Refused."""
        try:
            [found] = self._consumer.committed([TopicPartition(self._topic, 0)], timeout_seconds())
        except KafkaException as error:
            raise refusal(self._kafka, error, self._consumer_errors) from None
        return max(0, found.offset) if found.metadata == self._origin else 0

    def append(self, records: pa.RecordBatch, number: int) -> None:
        """Send `records` (key, value, timestamp, headers) with the number. Raises Refused; then nothing is there."""
        topics.require(self._kafka, self._topic)  # a topic that was deleted would be waited for until the time is up
        try:
            self._producer.begin_transaction()
            self._send(records)
            position = TopicPartition(self._topic, 0, number, self._origin)
            group = self._consumer.consumer_group_metadata()
            self._producer.send_offsets_to_transaction([position], group, timeout_seconds())
            self._producer.commit_transaction(TRANSACTION_SECONDS)
        except KafkaException as error:
            self._abort()
            raise self._refusal(error) from None

    def _send(self, records: pa.RecordBatch) -> None:
        times = records["timestamp"].cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64()).to_pylist()
        chosen = partitions_of(records["key"], self._partitions, 0).tolist()
        failed: list[Any] = []
        columns = (records["key"], records["value"], records["headers"])
        for key, value, pairs, time_ms, partition in zip(
            *(column.to_pylist() for column in columns), times, chosen, strict=True
        ):
            headers = [(pair["key"], pair["value"]) for pair in pairs]
            while not self._produce(value, key, partition, time_ms, headers, failed):
                self._producer.poll(1)
        self._producer.flush(timeout_seconds())
        if failed:
            raise KafkaException(failed[0])

    def _produce(
        self, value: Any, key: Any, partition: int, time_ms: int, headers: list[tuple[str, Any]], failed: list[Any]
    ) -> bool:
        """Whether the client's queue had room."""
        try:
            self._producer.produce(
                self._topic,
                value,
                key,
                partition,
                on_delivery=lambda error, _: failed.append(error) if error is not None else None,
                timestamp=time_ms,
                headers=headers,
            )
        except BufferError:
            return False
        return True

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(timeout_seconds())
        except KafkaException:
            return  # whoever takes this name next aborts it

    def _refusal(self, error: KafkaException) -> Refused:
        if error.args[0].code() in (KafkaError._FENCED, KafkaError.INVALID_PRODUCER_EPOCH, KafkaError.PRODUCER_FENCED):
            return Refused(f"topic {self._topic}: another run delivers the same answer. Stop one of them.")
        return Refused(f"topic {self._topic}: {refusal(self._kafka, error, self._client_errors)}")
