"""Topics of a broker: id, partitions and offsets, settings; and how one is created."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from jobs.log.kafka import listing
from jobs.log.kafka.client import connect, refusal, wait
from jobs.log.kafka.patience import remember, timeout_seconds
from jobs.log.topic import Topic, others
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka

Answer = TypeVar("Answer")

PROPAGATION_SECONDS = 0.5
"""For how long after a topic was made a broker may answer that there is none."""
_ELECTING = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
)
"""Answers that pass: a partition is electing a leader, or a broker does not know of the topic or its leader yet."""
COMMITTED = IsolationLevel.READ_COMMITTED


@remember
def describe(kafka: Kafka, name: str) -> Topic | None:
    """The topic; None if there is none. Waits for partitions that have no leader at the moment. Raises Refused."""
    return TopicProbe(kafka, name).now()


class TopicProbe:
    """Describes a topic again and again over one connection."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self._kafka, self._name = kafka, name
        self._admin, self._client_errors = connect(kafka, AdminClient)

    def now(self) -> Topic | None:
        """As `describe`."""
        return self._retry_while_electing(self._topic)

    def id(self) -> str | None:
        """The topic's id alone, in one question; None if there is no such topic. Raises Refused."""
        return self._retry_while_electing(lambda: str(self._describe().topic_id))

    def _retry_while_electing(self, ask: Callable[[], Answer]) -> Answer | None:
        begun = time.monotonic()
        while True:
            waited = time.monotonic() - begun
            try:
                return ask()
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError.UNKNOWN_TOPIC_OR_PART and waited > PROPAGATION_SECONDS:
                    return None
                if code not in _ELECTING or waited > timeout_seconds():
                    raise refusal(self._kafka, error, self._client_errors) from None
                time.sleep(0.2)

    def _describe(self) -> Any:
        asked = self._admin.describe_topics(TopicCollection([self._name]), request_timeout=timeout_seconds())
        return wait(self._admin, asked[self._name], self._client_errors)

    def _topic(self) -> Topic:
        description = self._describe()
        partitions = [TopicPartition(self._name, partition.id) for partition in description.partitions]
        firsts = _offsets(self._admin, partitions, OffsetSpec.earliest(), self._client_errors)
        ends = _offsets(self._admin, partitions, OffsetSpec.latest(), self._client_errors)
        return Topic(str(description.topic_id), firsts, ends)


def require(kafka: Kafka, name: str) -> Topic:
    """The topic. Raises Refused if there is none."""
    topic = describe(kafka, name)
    if topic is None:
        hint = others(name, listing.names(kafka))
        raise Refused(f"there is no topic {name} on {kafka.servers}, or this user may not see it: {hint}")
    return topic


def _offsets(
    admin: AdminClient,
    partitions: list[TopicPartition],
    spec: OffsetSpec,
    client_errors: list[KafkaError],
    isolation: IsolationLevel = COMMITTED,
) -> dict[int, int]:
    specs = dict.fromkeys(partitions, spec)
    futures = admin.list_offsets(specs, isolation_level=isolation, request_timeout=timeout_seconds())
    return {asked.partition: wait(admin, future, client_errors).offset for asked, future in futures.items()}


def _list_offsets(
    kafka: Kafka, name: str, partitions: Iterable[int], spec: OffsetSpec, isolation: IsolationLevel = COMMITTED
) -> dict[int, int]:
    """Offsets of some partitions, over a connection of its own. Raises Refused."""
    admin, client_errors = connect(kafka, AdminClient)
    asked = [TopicPartition(name, partition) for partition in partitions]
    try:
        return _offsets(admin, asked, spec, client_errors, isolation)
    except KafkaException as error:
        raise refusal(kafka, error, client_errors) from None


def offsets_since(kafka: Kafka, name: str, milliseconds: int) -> dict[int, int]:
    """By partition, the first offset whose record timestamp is `milliseconds` or later; the end where there is
    none. Raises Refused.
    """
    topic = require(kafka, name)
    offsets = _list_offsets(kafka, name, topic.ends, OffsetSpec.for_timestamp(milliseconds))
    return {partition: topic.ends[partition] if offset < 0 else offset for partition, offset in offsets.items()}


def written_ends(kafka: Kafka, name: str, partitions: Iterable[int]) -> dict[int, int]:
    """By partition, the offset after the last record, also of a transaction that is open. Raises Refused."""
    return _list_offsets(kafka, name, partitions, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)


@remember
def settings(kafka: Kafka, name: str) -> Mapping[str, str]:
    """The topic's settings, such as retention.ms. Raises Refused."""
    admin, client_errors = connect(kafka, AdminClient)
    asked = ConfigResource(ResourceType.TOPIC, name)
    try:
        futures = admin.describe_configs([asked], request_timeout=timeout_seconds())
        entries = wait(admin, futures[asked], client_errors)
    except KafkaException as error:
        raise refusal(kafka, error, client_errors) from None
    return {name: entry.value for name, entry in entries.items()}


def create(kafka: Kafka, name: str, partitions: int, config: Mapping[str, str]) -> None:
    """Create the topic with these settings, the broker's defaults for the rest, and wait until it is there. An existing
    topic stays as it is. Raises Refused.
    """
    admin, client_errors = connect(kafka, AdminClient)
    new = NewTopic(name, partitions, config=dict(config))
    try:
        wait(admin, admin.create_topics([new], request_timeout=timeout_seconds())[name], client_errors)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise refusal(kafka, error, client_errors) from None
    until = time.monotonic() + timeout_seconds()
    while describe(kafka, name) is None and time.monotonic() < until:
        time.sleep(0.1)
