"""The topics of the log: what each partition holds, for how long it is kept, and who reads it."""

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.log import home
from jobs.log.kafka import topic_retention
from jobs.log.kafka import topics as kafka_topics
from jobs.log.topic import Extent
from jobs.running.errors import explain
from jobs.running.places import Places
from jobs.ui.result_overview import ResultOverview


@dataclass(frozen=True)
class TopicOverview:
    """A topic of the log."""

    name: str
    readers: tuple[str, ...]
    """The results that read it."""
    partitions: tuple[Extent, ...]
    retention: str
    """For how long it keeps a record, in words."""
    fault: str | None
    """Why it cannot be looked at."""

    @property
    def records(self) -> int:
        """Records of all partitions; in Kafka offsets, of which some may be gone."""
        return sum(each.records for each in self.partitions)


def read(places: Places, results: Iterable[ResultOverview]) -> list[TopicOverview]:
    """The topics that results read, by name."""
    readers: dict[str, list[str]] = {}
    for result in results:
        for topic in result.topics:
            readers.setdefault(topic, []).append(result.name)
    return [_topic(places, name, tuple(of_topic)) for name, of_topic in sorted(readers.items())]


def _topic(places: Places, name: str, readers: tuple[str, ...]) -> TopicOverview:
    try:
        return TopicOverview(name, readers, tuple(home.extents(places, name)), _retention(places, name), None)
    except Exception as error:  # of the broker, or of deltalake, which raises many kinds for a damaged table
        return TopicOverview(name, readers, (), "unknown", explain(error))


def _retention(places: Places, name: str) -> str:
    if places.kafka is None or places.log != "kafka":
        return "until headrace retain removes them"
    age_ms = topic_retention.deletion_age_ms(dict(kafka_topics.settings(places.kafka, name)))
    return "forever" if age_ms is None else topic_retention.words(age_ms)
