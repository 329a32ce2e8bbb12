"""How long a topic keeps a record: what it says itself, and what a new topic would get."""

from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from jobs.log.kafka import topics
from jobs.running.kafka_access import Kafka

FOREVER = -1
"""As retention.ms: nothing goes by its age."""
KAFKAS_OWN_MS = 7 * 86_400_000
"""What a broker gives to a new topic if nobody has changed it; it stands in where a broker does not tell."""
_HOURS, _MINUTES = 3_600_000, 60_000


def settings(retention_ms: int | None) -> dict[str, str]:
    """Settings of a topic that is made; None leaves all to the broker. What is to stay for ever has no limit of size
    either.
    """
    if retention_ms is None:
        return {}
    return {"retention.ms": str(retention_ms)} | ({"retention.bytes": "-1"} if retention_ms == FOREVER else {})


def by_age(said: Mapping[str, str | None]) -> int | None:
    """After how many milliseconds a record goes, by its own timestamp; None: never, or by when it has arrived."""
    kept = int(said.get("retention.ms") or FOREVER)
    stamped_by_producer = said.get("message.timestamp.type") != "LogAppendTime"
    deleted = "delete" in (said.get("cleanup.policy") or "delete")
    return kept if kept >= 0 and stamped_by_producer and deleted else None


def of_new_topics(kafka: Kafka) -> dict[str, str | None]:
    """The settings of retention that a broker gives to a new topic; Kafka's own where this user may not ask for them.

    Raises Refused.
    """
    admin, heard = topics.client(kafka, AdminClient)
    try:
        cluster = topics.wait(admin, admin.describe_cluster(request_timeout=topics.TIMEOUT_SECONDS), heard)
        asked = ConfigResource(ResourceType.BROKER, str(cluster.nodes[0].id))
        futures = admin.describe_configs([asked], request_timeout=topics.TIMEOUT_SECONDS)
        found = {name: entry.value for name, entry in topics.wait(admin, futures[asked], heard).items()}
    except KafkaException as error:
        if error.args[0].code() in topics.NOT_ALLOWED:
            return {"retention.ms": str(KAFKAS_OWN_MS)}
        raise topics.refusal(kafka, error, heard) from None
    return {
        "retention.ms": str(retention_ms(found)),
        "cleanup.policy": found.get("log.cleanup.policy"),
        "message.timestamp.type": found.get("log.message.timestamp.type"),
    }


def retention_ms(broker: Mapping[str, str | None]) -> int:
    """What a new topic gets: the finest of a broker's three settings counts; a negative number is for ever."""
    for name, unit in (("ms", 1), ("minutes", _MINUTES), ("hours", _HOURS)):
        said = broker.get(f"log.retention.{name}")
        if said not in (None, ""):
            return max(FOREVER, int(said) * unit)
    return KAFKAS_OWN_MS


def words(retention_ms: int) -> str:
    """A length of time for people: "for 7.0 days", "forever"."""
    if retention_ms < 0:
        return "forever"
    for unit, size in (("days", 24 * _HOURS), ("hours", _HOURS), ("minutes", _MINUTES)):
        if retention_ms >= size:
            return f"for {retention_ms / size:,.1f} {unit}"
    return f"for {retention_ms / 1000:,.1f} seconds"
