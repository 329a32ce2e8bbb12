"""The topic of Kafka that records are appended to: an existing one, or a new one that will keep the records."""

import time

from jobs.log.kafka import topic_retention, topics
from jobs.log.topic import Topic, check_name, partition_count
from jobs.running import kafka_tools
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka


class Target:
    """A topic as it is, or is to be: nothing is made before `make`, so that a refusal leaves nothing behind.

    With None for `partitions` or `retention_ms` (-1 is for ever) it has those of the existing topic, else 4 partitions
    and the broker's retention. Raises Refused when the existing topic has others than were asked for.
    """

    def __init__(self, kafka: Kafka, topic: str, partitions: int | None, retention_ms: int | None) -> None:
        check_name(topic)
        self._kafka, self.topic = kafka, topic
        self._asked, self._retention_ms = partitions, retention_ms
        self.partitions = self._count_partitions(0)
        existing = topics.describe(kafka, topic)
        self.is_new = existing is None
        if existing:
            self._use(existing)
        else:
            config = topic_retention.new_topic_settings(kafka) | topic_retention.settings(retention_ms)
            self._deletion_age_ms = topic_retention.deletion_age_ms(config)

    def _count_partitions(self, existing: int) -> int:
        return partition_count(self.topic, f"on {self._kafka.servers}", self._asked, existing)

    def _use(self, existing: Topic) -> None:
        """Take over what the existing topic has. Raises Refused if that is not what was asked for."""
        self.partitions = self._count_partitions(len(existing.ends))
        config = topics.settings(self._kafka, self.topic)
        existing_ms = int(config.get("retention.ms", topic_retention.FOREVER))
        if self._retention_ms not in (None, existing_ms):
            raise Refused(
                f"topic {self.topic} on {self._kafka.servers} keeps records {topic_retention.words(existing_ms)}, and "
                "--retention is for a topic that is made now. Leave it out, or change the topic first: "
                + kafka_tools.set_config(self._kafka, self.topic, f"retention.ms={self._retention_ms}")
            )
        self._deletion_age_ms = topic_retention.deletion_age_ms(config)

    @property
    def keeps_all(self) -> bool:
        """Whether it deletes nothing by the age of its timestamp."""
        return self._deletion_age_ms is None

    def is_too_old(self, oldest_ms: int | None) -> bool:
        """Whether the retention would delete a record of this timestamp as soon as it is there."""
        if oldest_ms is None or self._deletion_age_ms is None:
            return False
        return oldest_ms < time.time() * 1000 - self._deletion_age_ms

    def refusal(self, sent: int) -> Refused:
        """The error for records that are too old, when `sent` records are in Kafka already."""
        assert self._deletion_age_ms is not None
        keeps = (
            f"keeps records {topic_retention.words(self._deletion_age_ms)} after their timestamp, and some are older"
        )
        if self.is_new:
            return Refused(
                f"a new topic {self.topic} on {self._kafka.servers} {keeps}: Kafka would delete them at once. Nothing "
                "was sent and no topic was made. Give --retention forever, or a time that is long enough."
            )
        return Refused(
            f"topic {self.topic} {keeps}: Kafka would delete them at once. {sent:,} records are in Kafka. Change it: "
            + kafka_tools.set_config(self._kafka, self.topic, "retention.ms=-1")
        )

    def make(self) -> None:
        """Make the topic if it is not there. Raises Refused, also when somebody else was faster with another one."""
        if self.is_new:
            self._asked = self.partitions  # by now the keys have their partitions
            config = topic_retention.settings(self._retention_ms)
            topics.create(self._kafka, self.topic, self.partitions, config)
            self._use(topics.require(self._kafka, self.topic))
            self.is_new = False
