"""The topics of the log, as `headrace log` lists them, and who reads them."""

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.admin.retention_text import retention_text
from jobs.log.archive import listing as archive_listing
from jobs.log.kafka import listing as kafka_listing
from jobs.log.topic_summary import TopicSummary
from jobs.running.places import Places
from jobs.ui.result_overview import ResultOverview


@dataclass(frozen=True)
class TopicOverview:
    """A topic of the log."""

    name: str
    readers: tuple[str, ...]
    """The results that read it."""
    summary: TopicSummary | None
    """What the log holds of it; None: nothing."""
    kept: str
    """For how long it keeps a record, in words."""


def read(places: Places, results: Iterable[ResultOverview]) -> list[TopicOverview]:
    """The topics that there are, and those that results read, by name. Raises Refused if a broker does not answer."""
    readers: dict[str, list[str]] = {}
    for result in results:
        for topic in result.topics:
            readers.setdefault(topic, []).append(result.name)
    found = {each.name: each for each in _summaries(places)}
    return [_topic(name, tuple(readers.get(name, ())), found.get(name)) for name in sorted(readers.keys() | found)]


def _summaries(places: Places) -> list[TopicSummary]:
    if places.log == "kafka" and places.kafka is not None:
        return kafka_listing.summaries(places.kafka)
    return archive_listing.summaries(places.archive)


def _topic(name: str, readers: tuple[str, ...], summary: TopicSummary | None) -> TopicOverview:
    return TopicOverview(name, readers, summary, "-" if summary is None else retention_text(summary))
