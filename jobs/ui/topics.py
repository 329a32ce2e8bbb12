"""The topics of the log, as `headrace log` lists them, and who reads them. A page never waits for a broker."""

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.admin.retention_text import retention_text
from jobs.log.archive import listing as archive_listing
from jobs.log.kafka import listing as kafka_listing
from jobs.log.kafka import patience
from jobs.log.topic_summary import TopicSummary
from jobs.running.errors import explain
from jobs.running.places import Places
from jobs.ui.background_question import BackgroundQuestion
from jobs.ui.result_overview import ResultOverview

KEPT_SECONDS = 5.0
"""So long the log is not asked again."""
ARCHIVE_SECONDS = 60.0
"""So long a page waits for an archive, which is a table: it answers, or says that it cannot."""


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


@dataclass(frozen=True)
class Log:
    """The log as it is known now."""

    topics: tuple[TopicOverview, ...]
    """Those that there are, and those that results read, by name."""
    fault: str | None
    """Why it does not answer; None if it does."""
    is_known: bool
    """Whether it has said what it holds, now or before it was away."""
    is_asked: bool
    """Whether it is being asked."""


class LogQuestion:
    """What the log holds: an archive is read at once, a broker is asked in the background."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._question = BackgroundQuestion(self._summaries, KEPT_SECONDS)
        self._held: dict[str, TopicSummary] | None = None
        """What it said last; None: nothing yet."""

    def now(self, results: Iterable[ResultOverview], patience_seconds: float) -> Log:
        """The topics, and who of `results` reads them. A broker is waited for `patience_seconds` at most."""
        patience_seconds = patience_seconds if self._places.log == "kafka" else ARCHIVE_SECONDS
        answered = self._question.now(patience_seconds)
        readers: dict[str, list[str]] = {}
        for result in results:
            for topic in result.topics:
                readers.setdefault(topic, []).append(result.name)
        if isinstance(answered.answer, list):
            self._held = {each.name: each for each in answered.answer}
        fault = answered.answer if isinstance(answered.answer, str) else None
        held = self._held or {}
        topics = (_topic(name, tuple(readers.get(name, ())), held.get(name)) for name in sorted(readers.keys() | held))
        return Log(tuple(topics), fault, self._held is not None, answered.is_asked)

    def _summaries(self) -> list[TopicSummary] | str:
        """What it holds of each topic; or why it does not answer."""
        try:
            with patience.ask_once(lambda _: None):
                if self._places.log == "kafka" and self._places.kafka is not None:
                    return kafka_listing.summaries(self._places.kafka)
                return archive_listing.summaries(self._places.archive)
        except Exception as error:  # deltalake raises many kinds for a damaged table
            return explain(error, self._places.kafka)


def _topic(name: str, readers: tuple[str, ...], summary: TopicSummary | None) -> TopicOverview:
    return TopicOverview(name, readers, summary, "-" if summary is None else retention_text(summary))
