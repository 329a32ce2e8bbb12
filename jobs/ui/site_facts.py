"""What the pages of a folder of results, and their JSON, are made of: looked up here, and kept for some seconds."""

from typing import Any

from starlette.exceptions import HTTPException

from jobs.keeping import ledger
from jobs.log.kafka import patience
from jobs.running.places import Places
from jobs.ui import history, published, quarantine, result_overview
from jobs.ui.history import Span
from jobs.ui.overview import PATIENCE_SECONDS, Overview, Results, Take
from jobs.ui.published import Correction, WindowChoice
from jobs.ui.quarantine import QuarantinedRecord
from jobs.ui.result_overview import ResultOverview
from jobs.ui.short_memory import ShortMemory
from jobs.ui.tables import TableDescription, describe
from jobs.ui.topics import Log, LogQuestion

KEPT_SECONDS = 5.0
"""So long a table is not read again."""
LOG_PATIENCE_SECONDS = 0.3
"""A page waits so long for a broker."""


class SiteFacts:
    """Gives the facts of one folder of tables."""

    def __init__(self, places: Places, show_values: bool = False, take: Take = result_overview.take) -> None:
        """`show_values`: whether keys and values of records in quarantine are given, too; `take` looks a result up."""
        self.places, self.show_values, self._take = places, show_values, take
        self._results = Results(places, take)
        self._log = LogQuestion(places)
        self._memory: ShortMemory[Any] = ShortMemory(KEPT_SECONDS)

    def overview(self, patience_seconds: float = PATIENCE_SECONDS) -> Overview:
        """All results; those that take longer to look up come the next time."""
        return self._results.now(patience_seconds)

    def result(self, name: str) -> ResultOverview:
        """One result. Raises HTTPException (404) if there is none of this name."""
        known = self._results.now()
        for each in known.results:
            if each.name == name:
                return each
        names = ledger.results(self.places)
        if name in names:
            with patience.ask_once(lambda _: None):
                found: ResultOverview = self._memory.get(name, lambda: self._take(self.places, name))
            return found
        there = ", ".join(names[:20]) or "none yet"
        raise HTTPException(404, f"There is no result {name} in {self.places.tables}; there are {there}.")

    def history(self, name: str) -> list[Span]:
        """The batches of a result over time."""
        spans: list[Span] = self._memory.get(("history", name), lambda: history.read(self.places, name))
        return spans

    def corrections(self, name: str) -> list[Correction]:
        """How often the rows of a result were published anew."""
        found: list[Correction] = self._memory.get(
            ("corrections", name), lambda: published.corrections(self.places, name)
        )
        return found

    def window_choice(self, name: str) -> WindowChoice | None:
        """What can be drawn of the windows of a result; None if it has none."""
        choice: WindowChoice | None = self._memory.get(
            ("choice", name), lambda: published.window_choice(self.places, name)
        )
        return choice

    def windows(self, name: str, kind: str, group: str, measure: str) -> list[dict[str, Any]]:
        """Windows of a result, as `published.windows` gives them."""
        choice = self.window_choice(name)
        if choice is None:
            raise HTTPException(404, f"{name} has published no windows.")
        key = ("windows", name, kind, group, measure)
        rows: list[dict[str, Any]] = self._memory.get(
            key, lambda: published.windows(self.places, name, choice, kind, group, measure)
        )
        return rows

    def tables(self, result: ResultOverview) -> list[TableDescription]:
        """The tables of a result with their columns."""
        facts = result.assessment.facts
        if facts is None:
            return []
        described: list[TableDescription] = self._memory.get(("tables", result.name), lambda: describe(facts))
        return described

    def quarantined_records(self, name: str, reason: str | None) -> list[QuarantinedRecord]:
        """Records that wait in quarantine."""
        found: list[QuarantinedRecord] = self._memory.get(
            ("quarantine", name, reason),
            lambda: quarantine.records(self.places, name, reason, self.show_values),
        )
        return found

    def log(self, patience_seconds: float = LOG_PATIENCE_SECONDS) -> Log:
        """What the log holds of each topic; a broker that takes longer to answer is asked in the background."""
        return self._log.now(self.overview(patience_seconds).results, patience_seconds)
