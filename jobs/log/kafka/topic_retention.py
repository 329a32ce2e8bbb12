"""How long a topic keeps a record, and how long a new topic would."""

from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from jobs.log.kafka.client import NOT_ALLOWED, connect, refusal, wait
from jobs.log.kafka.patience import timeout_seconds
from jobs.running.kafka_access import Kafka

FOREVER = -1
"""As retention.ms: no record is deleted because of its age."""
KAFKAS_OWN_MS = 7 * 86_400_000
"""A broker's default for new topics; assumed where a broker does not tell its own."""
_HOURS, _MINUTES = 3_600_000, 60_000


def settings(retention_ms: int | None) -> dict[str, str]:
    """Settings of a new topic; None leaves all to the broker. With FOREVER it has no limit of size either."""
    if retention_ms is None:
        return {}
    return {"retention.ms": str(retention_ms)} | ({"retention.bytes": "-1"} if retention_ms == FOREVER else {})


def deletion_age_ms(config: Mapping[str, str | None]) -> int | None:
    """How old, by its own timestamp, a record is when the topic deletes it, in milliseconds; None if the age by this
    timestamp does not count.
    """
    age_ms = int(config.get("retention.ms") or FOREVER)
    stamped_by_producer = config.get("message.timestamp.type") != "LogAppendTime"
    deleted = "delete" in (config.get("cleanup.policy") or "delete")
    return age_ms if age_ms >= 0 and stamped_by_producer and deleted else None


def new_topic_settings(kafka: Kafka) -> dict[str, str | None]:
    """The settings of retention that a broker gives to a new topic; Kafka's own where this user may not ask for them.

    Raises Refused.
    """
    admin, client_errors = connect(kafka, AdminClient)
    try:
        cluster = wait(admin, admin.describe_cluster(request_timeout=timeout_seconds()), client_errors)
        asked = ConfigResource(ResourceType.BROKER, str(cluster.nodes[0].id))
        futures = admin.describe_configs([asked], request_timeout=timeout_seconds())
        config = {name: entry.value for name, entry in wait(admin, futures[asked], client_errors).items()}
    except KafkaException as error:
        if error.args[0].code() in NOT_ALLOWED:
            return {"retention.ms": str(KAFKAS_OWN_MS)}
        raise refusal(kafka, error, client_errors) from None
    return {
        "retention.ms": str(retention_ms(config)),
        "cleanup.policy": config.get("log.cleanup.policy"),
        "message.timestamp.type": config.get("log.message.timestamp.type"),
    }


def retention_ms(broker: Mapping[str, str | None]) -> int:
    """The retention of a new topic: of a broker's three settings the finest unit counts; negative is for ever."""
    for name, unit in (("ms", 1), ("minutes", _MINUTES), ("hours", _HOURS)):
        setting = broker.get(f"log.retention.{name}")
        if setting not in (None, ""):
            return max(FOREVER, int(setting) * unit)
    return KAFKAS_OWN_MS


def words(retention_ms: int) -> str:
    """A length of time for people: "for 7.0 days", "forever"."""
    if retention_ms < 0:
        return "forever"
    for unit, size in (("days", 24 * _HOURS), ("hours", _HOURS), ("minutes", _MINUTES)):
        if retention_ms >= size:
            return f"for {retention_ms / size:,.1f} {unit}"
    return f"for {retention_ms / 1000:,.1f} seconds"
