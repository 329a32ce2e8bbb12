"""The topics of a broker, asked for all at once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType

from jobs.log.kafka.client import NOT_ALLOWED, connect, refusal, wait
from jobs.log.kafka.patience import remember, timeout_seconds
from jobs.log.topic_summary import TopicSummary, earliest, latest
from jobs.running.instants import from_kafka
from jobs.running.kafka_access import Kafka

INTERNAL = "__"
"""With this begin the names of topics that Kafka keeps for itself."""

Found = dict[str, dict[int, Any]]
"""By topic and partition, what a broker has answered."""


@remember
def names(kafka: Kafka) -> list[str]:
    """The topics that this user may see, in order. Raises Refused."""
    admin, client_errors = connect(kafka, AdminClient)
    try:
        return sorted(name for name in _partitions(admin) if not name.startswith(INTERNAL))
    except KafkaException as error:
        raise refusal(kafka, error, client_errors) from None


@remember
def summaries(kafka: Kafka) -> list[TopicSummary]:
    """What the broker holds of each topic that this user may see, by name. Raises Refused."""
    admin, client_errors = connect(kafka, AdminClient)
    try:
        topics = {name: parts for name, parts in _partitions(admin).items() if not name.startswith(INTERNAL)}
        firsts, ends, oldest, newest = (
            _ask(admin, client_errors, topics, spec)
            for spec in (
                OffsetSpec.earliest(),
                OffsetSpec.latest(),
                OffsetSpec.for_timestamp(0),
                OffsetSpec.max_timestamp(),
            )
        )
        settings = _settings(admin, client_errors, list(topics))
    except KafkaException as error:
        raise refusal(kafka, error, client_errors) from None
    return [
        TopicSummary(
            name,
            "kafka",
            {partition: found.offset for partition, found in ends[name].items()},
            sum(found.offset - firsts[name][partition].offset for partition, found in ends[name].items()),
            earliest(map(_time, oldest[name].values())),
            latest(map(_time, newest[name].values())),
            _limit(settings[name], "retention.ms"),
            _limit(settings[name], "retention.bytes"),
            "compact" in settings[name].get("cleanup.policy", ""),
        )
        for name in sorted(topics)
    ]


def _partitions(admin: AdminClient) -> dict[str, list[int]]:
    """By topic, its partitions."""
    topics = admin.list_topics(timeout=timeout_seconds()).topics
    return {name: sorted(topic.partitions) for name, topic in topics.items()}


def _ask(admin: AdminClient, client_errors: list[Any], topics: Mapping[str, list[int]], spec: OffsetSpec) -> Found:
    asked = {TopicPartition(name, partition): spec for name, partitions in topics.items() for partition in partitions}
    found: Found = {name: {} for name in topics}
    if not asked:
        return found
    committed = IsolationLevel.READ_COMMITTED
    futures = admin.list_offsets(asked, isolation_level=committed, request_timeout=timeout_seconds())
    for place, future in futures.items():
        found[place.topic][place.partition] = wait(admin, future, client_errors)
    return found


def _settings(admin: AdminClient, client_errors: list[Any], topics: list[str]) -> dict[str, Mapping[str, str]]:
    """By topic, its settings; none where this user may not see them."""
    resources = {name: ConfigResource(ResourceType.TOPIC, name) for name in topics}
    if not resources:
        return {}
    futures = admin.describe_configs(list(resources.values()), request_timeout=timeout_seconds())
    settings: dict[str, Mapping[str, str]] = {}
    for name, resource in resources.items():
        try:
            entries = wait(admin, futures[resource], client_errors)
            settings[name] = {key: entry.value for key, entry in entries.items()}
        except KafkaException as error:
            if error.args[0].code() not in NOT_ALLOWED:
                raise
            settings[name] = {}
    return settings


def _time(found: Any) -> datetime | None:
    return from_kafka(found.timestamp) if found.offset >= 0 and found.timestamp >= 0 else None


def _limit(settings: Mapping[str, str], name: str) -> int | None:
    limit = int(settings.get(name, -1))
    return None if limit < 0 else limit
