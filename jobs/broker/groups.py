"""Offsets committed under a group's name: what kafka-consumer-groups and every lag exporter show.

They are for people. Where a run goes on is in the ledger, and nothing here is read for that.
"""

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from jobs.broker import topics
from jobs.broker.access import Kafka


class Group:
    """The group of one result on one topic. It has no members: Spark gives out the partitions."""

    def __init__(self, kafka: Kafka, name: str, topic: str) -> None:
        self._kafka, self._name, self._topic = kafka, name, topic
        self._admin, self._heard = topics.client(kafka, AdminClient)

    def commit(self, offsets: dict[int, int]) -> None:
        """Say that all before these offsets is read. Raises Refused."""
        said = [TopicPartition(self._topic, partition, offset) for partition, offset in offsets.items()]
        try:
            asked = self._admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(self._name, said)])
            done = topics.wait(self._admin, asked[self._name], self._heard)
        except KafkaException as error:
            raise topics.refusal(self._kafka, error, self._heard) from None
        for part in done.topic_partitions:
            if part.error is not None:
                raise topics.refusal(self._kafka, KafkaException(part.error), self._heard)
