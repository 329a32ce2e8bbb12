"""The topic of Kafka that records are appended to: one that is there, or one that is made for records it will keep."""

import time

from jobs.log.archive.topic import DEFAULT_PARTITIONS, check_topic
from jobs.log.kafka import topic_retention, topics
from jobs.log.kafka.topics import Topic
from jobs.running import kafka_tools
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka


class Target:
    """A topic as it is, or is to be: nothing is made before `make`, so that a refusal leaves nothing behind.

    `partitions` and `retention_ms` (-1 is for ever) are what is asked for: None takes what a topic has that is there,
    else 4 partitions and the broker's retention. Raises Refused when the topic that is there has others.
    """

    def __init__(self, kafka: Kafka, topic: str, partitions: int | None, retention_ms: int | None) -> None:
        check_topic(topic)
        if partitions is not None and partitions < 1:
            raise Refused(f"topic {topic}: a topic has 1 partition or more, not {partitions}.")
        self._kafka, self.topic = kafka, topic
        self._asked, self._retention_ms = partitions, retention_ms
        self.partitions = partitions or DEFAULT_PARTITIONS
        found = topics.describe(kafka, topic)
        self.new = found is None
        if found:
            self._take(found)
        else:
            given = topic_retention.of_new_topics(kafka) | topic_retention.settings(retention_ms)
            self._kept_ms = topic_retention.by_age(given)

    def _take(self, found: Topic) -> None:
        """Learn what the topic has that is there. Raises Refused if that is not what was asked for."""
        if self._asked not in (None, len(found.ends)):
            raise Refused(
                f"topic {self.topic} on {self._kafka.servers} has {len(found.ends)} partitions, not {self._asked}: "
                f"keys would move. Leave the number out or give {len(found.ends)}."
            )
        said = topics.settings(self._kafka, self.topic)
        kept_ms = int(said.get("retention.ms", topic_retention.FOREVER))
        if self._retention_ms not in (None, kept_ms):
            raise Refused(
                f"topic {self.topic} on {self._kafka.servers} keeps records {topic_retention.words(kept_ms)}, and "
                "--retention is for a topic that is made now. Leave it out, or change the topic first: "
                + kafka_tools.set_config(self._kafka, self.topic, f"retention.ms={self._retention_ms}")
            )
        self.partitions, self._kept_ms = len(found.ends), topic_retention.by_age(said)

    @property
    def keeps_all(self) -> bool:
        """Whether it deletes nothing by the age of its timestamp."""
        return self._kept_ms is None

    def too_old(self, oldest_ms: int | None) -> bool:
        """Whether the retention would delete a record of this timestamp as soon as it is there."""
        if oldest_ms is None or self._kept_ms is None:
            return False
        return oldest_ms < time.time() * 1000 - self._kept_ms

    def refusal(self, sent: int) -> Refused:
        """What to say of records that are too old, when `sent` are in Kafka."""
        assert self._kept_ms is not None
        kept = f"keeps records {topic_retention.words(self._kept_ms)} after their timestamp, and some are older"
        if self.new:
            return Refused(
                f"a new topic {self.topic} on {self._kafka.servers} {kept}: Kafka would delete them at once. Nothing "
                "was sent and no topic was made. Give --retention forever, or a time that is long enough."
            )
        return Refused(
            f"topic {self.topic} {kept}: Kafka would delete them at once. {sent:,} records are in Kafka. Change it: "
            + kafka_tools.set_config(self._kafka, self.topic, "retention.ms=-1")
        )

    def make(self) -> None:
        """Make the topic if it is not there. Raises Refused, also when somebody else was faster with another one."""
        if self.new:
            self._asked = self.partitions  # keys have their partitions by now
            config = topic_retention.settings(self._retention_ms)
            topics.create(self._kafka, self.topic, self.partitions, config)
            self._take(topics.existing(self._kafka, self.topic))
            self.new = False
