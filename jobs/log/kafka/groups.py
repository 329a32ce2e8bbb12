"""Offsets committed under a group's name: what kafka-consumer-groups and every lag exporter show.

They are for people. Where a run goes on is in the ledger, and nothing here is read for that.
"""

import time
from collections.abc import Callable

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from jobs.log.kafka.client import connect, refusal, wait
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka

STARTING_SECONDS = 10.0
"""How long to wait for a broker that has just started and is still loading the offsets of groups."""
_STARTING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
)
AGAIN_SECONDS = 30.0
"""The pause after a refusal: an unreachable broker must not hold up each batch."""


class Group:
    """The group of one result on one topic. It has no members: Spark gives out the partitions."""

    def __init__(self, kafka: Kafka, name: str, topic: str) -> None:
        self._kafka, self._name, self._topic = kafka, name, topic
        self._admin, self._client_errors = connect(kafka, AdminClient)

    def commit(self, offsets: dict[int, int]) -> None:
        """Commit the next offset of each partition; waits for a broker that is starting. Raises Refused."""
        positions = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        until = time.monotonic() + STARTING_SECONDS
        while True:
            try:
                self._commit(positions)
                return
            except KafkaException as error:
                if error.args[0].code() not in _STARTING or time.monotonic() > until:
                    raise refusal(self._kafka, error, self._client_errors) from None
            time.sleep(0.2)

    def _commit(self, positions: list[TopicPartition]) -> None:
        asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(self._name, positions)])
        done = wait(self._admin, asked[self._name], self._client_errors)
        for partition in done.topic_partitions:
            if partition.error is not None:
                raise KafkaException(partition.error)


class OffsetReporter:
    """Commits a result's offsets under its group, and never fails: no number depends on it."""

    def __init__(self, kafka: Kafka, name: str, topic: str, say: Callable[[str], None]) -> None:
        self._kafka, self._name, self._topic, self._say = kafka, name, topic, say
        self._group: Group | None = None
        self._fault, self._not_before = "", 0.0

    def commit(self, offsets: dict[int, int]) -> None:
        """As Group.commit; a refusal is reported once, and a later call tries again with later offsets."""
        if time.monotonic() < self._not_before:
            return
        try:
            if self._group is None:
                self._group = Group(self._kafka, self._name, self._topic)
            self._group.commit(offsets)
            self._fault = ""
        except Refused as error:
            self._not_before = time.monotonic() + AGAIN_SECONDS
            if str(error) != self._fault:
                self._fault = str(error)
                self._say(f"{self._name}: its offsets are not shown in Kafka at the moment: {error}")
