"""What the broker says of a topic: its id, its partitions and offsets, its settings."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, OffsetSpec, ResourceType

from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka

Answer = TypeVar("Answer")
NOT_ALLOWED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
"""Answers to a user whom an ACL does not let do that."""
TIMEOUT_SECONDS = 30.0
"""So long a broker may take to answer."""


@dataclass(frozen=True)
class Topic:
    """A topic as the broker has it now."""

    id: str
    """Another one when the topic is deleted and made again."""
    firsts: dict[int, int]
    """By partition, the offset of the earliest record that is still there."""
    ends: dict[int, int]
    """By partition, the offset after the last record that a reader of committed records may see."""


class Unreachable(Refused):
    """The broker cannot be reached, or does not let this user in."""


def client(kafka: Kafka, make: Callable[[dict[str, Any]], Any], **options: Any) -> Any:
    """A client of confluent-kafka that keeps what went wrong last, for `refusal`. Raises Refused."""
    heard: list[KafkaError] = []
    try:
        made = make(kafka.for_python() | {"error_cb": heard.append} | options)
    except (OSError, KeyError) as error:
        said = error.strerror if isinstance(error, OSError) else error.args[0]
        raise Unreachable(f"a secret of [kafka] cannot be read: {said}.") from None
    except KafkaException as error:
        raise refusal(kafka, error, heard) from None
    return made, heard


def refusal(kafka: Kafka, error: KafkaException, heard: list[KafkaError]) -> Refused:
    """What to say of an error of the client; `heard` is what it said before, which is often the cause."""
    codes = {fault.code() for fault in [*heard, error.args[0]]}
    if codes & {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}:
        return Unreachable(
            f"the broker {kafka.servers} does not let {kafka.username or 'this client'} in: user, password or "
            "mechanism is wrong. Mend [kafka] in the places file."
        )
    if codes & {KafkaError._SSL}:
        return Unreachable(
            f"no TLS with the broker {kafka.servers}: its certificate has expired, is not signed by the authorities "
            "that [kafka] names, or is of another host."
        )
    if codes & NOT_ALLOWED:
        return Unreachable(f"{kafka.username or 'this client'} may not do that on {kafka.servers}: an ACL is missing.")
    if codes & {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}:
        return Unreachable(f"the broker {kafka.servers} does not answer. Is it running, and is [kafka] right?")
    if codes & {KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD}:
        return Refused(
            f"The broker {kafka.servers} takes no such record into this topic: its timestamp is further from its "
            "arrival than the topic's message.timestamp.before.max.ms or message.timestamp.after.max.ms allow, or it "
            "has no key and the topic is compacted."
        )
    return Refused(f"the broker {kafka.servers} refused: {error.args[0].name()}.")


def describe(kafka: Kafka, name: str) -> Topic | None:
    """The topic; None if there is none. Waits for partitions that have no leader at the moment. Raises Refused."""
    return Looking(kafka, name).now()


class Looking:
    """Looks at a topic again and again over one connection."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self._kafka, self._name = kafka, name
        self._admin, self._heard = client(kafka, AdminClient)

    def now(self) -> Topic | None:
        """As `describe`."""
        return self._patiently(self._topic)

    def id(self) -> str | None:
        """The topic's id alone, in one question; None if there is no such topic. Raises Refused."""
        return self._patiently(lambda: str(self._described().topic_id))

    def _patiently(self, ask: Callable[[], Answer]) -> Answer | None:
        begun = time.monotonic()
        while True:
            waited = time.monotonic() - begun
            try:
                return ask()
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError.UNKNOWN_TOPIC_OR_PART and waited > UNHEARD_SECONDS:
                    return None
                if code not in _ELECTING or waited > TIMEOUT_SECONDS:
                    raise refusal(self._kafka, error, self._heard) from None
                time.sleep(0.2)

    def _described(self) -> Any:
        asked = self._admin.describe_topics(TopicCollection([self._name]), request_timeout=TIMEOUT_SECONDS)
        return wait(self._admin, asked[self._name], self._heard)

    def _topic(self) -> Topic:
        found = self._described()
        parts = [TopicPartition(self._name, part.id) for part in found.partitions]
        specs = (OffsetSpec.earliest(), OffsetSpec.latest())
        ends = (_offsets(self._admin, parts, spec, self._heard) for spec in specs)
        return Topic(str(found.topic_id), *ends)


UNHEARD_SECONDS = 0.5
"""So long after a topic was made, a broker may say that there is none."""
_ELECTING = (
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
)
"""Answers that pass: a partition gets a leader, or not all have heard of a new one yet."""


def existing(kafka: Kafka, name: str) -> Topic:
    """The topic. Raises Refused if there is none."""
    found = describe(kafka, name)
    if found is None:
        raise Refused(
            f"there is no topic {name} on {kafka.servers}, or this user may not see it. Make it, or fill it with "
            f"`headrace produce {name} FILE`."
        )
    return found


COMMITTED = IsolationLevel.READ_COMMITTED


def _offsets(
    admin: AdminClient,
    parts: list[TopicPartition],
    spec: OffsetSpec,
    heard: list[KafkaError],
    seen_by: IsolationLevel = COMMITTED,
) -> dict[int, int]:
    asked = admin.list_offsets(dict.fromkeys(parts, spec), isolation_level=seen_by, request_timeout=TIMEOUT_SECONDS)
    return {part.partition: wait(admin, future, heard).offset for part, future in asked.items()}


def _ask(
    kafka: Kafka, name: str, partitions: Iterable[int], spec: OffsetSpec, seen_by: IsolationLevel = COMMITTED
) -> dict[int, int]:
    """Offsets of some partitions, over a connection of its own. Raises Refused."""
    admin, heard = client(kafka, AdminClient)
    try:
        return _offsets(admin, [TopicPartition(name, part) for part in partitions], spec, heard, seen_by)
    except KafkaException as error:
        raise refusal(kafka, error, heard) from None


def since(kafka: Kafka, name: str, milliseconds: int) -> dict[int, int]:
    """By partition, the first offset whose record timestamp is so late; the end where there is none. Raises Refused."""
    topic = existing(kafka, name)
    found = _ask(kafka, name, topic.ends, OffsetSpec.for_timestamp(milliseconds))
    return {part: topic.ends[part] if offset < 0 else offset for part, offset in found.items()}


def written(kafka: Kafka, name: str, partitions: Iterable[int]) -> dict[int, int]:
    """By partition, the offset after the last record, also of a transaction that is open. Raises Refused."""
    return _ask(kafka, name, partitions, OffsetSpec.latest(), IsolationLevel.READ_UNCOMMITTED)


def settings(kafka: Kafka, name: str) -> Mapping[str, str]:
    """The topic's settings, such as retention.ms. Raises Refused."""
    admin, heard = client(kafka, AdminClient)
    asked = ConfigResource(ResourceType.TOPIC, name)
    try:
        futures = admin.describe_configs([asked], request_timeout=TIMEOUT_SECONDS)
        found = wait(admin, futures[asked], heard)
    except KafkaException as error:
        raise refusal(kafka, error, heard) from None
    return {name: entry.value for name, entry in found.items()}


def create(kafka: Kafka, name: str, partitions: int, config: Mapping[str, str]) -> None:
    """Make the topic with these settings, the broker's defaults for the rest, and wait until it is there. One that is
    there already stays as it is. Raises Refused.
    """
    admin, heard = client(kafka, AdminClient)
    new = NewTopic(name, partitions, config=dict(config))
    try:
        wait(admin, admin.create_topics([new], request_timeout=TIMEOUT_SECONDS)[name], heard)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise refusal(kafka, error, heard) from None
    until = time.monotonic() + TIMEOUT_SECONDS
    while describe(kafka, name) is None and time.monotonic() < until:
        time.sleep(0.1)


def wait(admin: AdminClient, future: Any, heard: list[KafkaError]) -> Any:
    """What was asked for; who is not let in learns it at once, and not when the time is over."""
    while not future.done():
        admin.poll(0.01)  # fills `heard`
        shut = [fault for fault in heard if fault.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL)]
        if shut:
            raise KafkaException(shut[0])
    return future.result()
