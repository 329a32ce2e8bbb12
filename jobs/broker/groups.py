"""Offsets committed under a group's name: what kafka-consumer-groups and every lag exporter show.

They are for people. Where a run goes on is in the ledger, and nothing here is read for that.
"""

from confluent_kafka import Consumer, KafkaException, TopicPartition

from jobs.broker import topics
from jobs.broker.access import Kafka


class Group:
    """The group of one result on one topic."""

    def __init__(self, kafka: Kafka, name: str, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._consumer, self._heard = topics.client(kafka, Consumer, **{"group.id": name, "enable.auto.commit": False})

    def commit(self, offsets: dict[int, int]) -> None:
        """Say that all before these offsets is read. Raises Refused."""
        said = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        try:
            self._consumer.commit(offsets=said, asynchronous=False)
        except KafkaException as error:
            raise topics.refusal(self._kafka, error, self._heard) from None

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()
