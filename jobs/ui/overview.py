"""All results, looked up again while somebody asks: a page waits neither for 200 results nor for a broker."""

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from jobs.admin import assessment
from jobs.admin.states import State
from jobs.keeping import ledger
from jobs.log.kafka import patience
from jobs.running.errors import explain
from jobs.running.places import Places
from jobs.ui import result_overview, stamps
from jobs.ui.background_question import BackgroundQuestion
from jobs.ui.result_overview import ResultOverview

Take = Callable[[Places, str], ResultOverview]
"""Looks a result up."""
FRESH_SECONDS = 3.0
"""What was looked up is shown for so long before it is looked up again, and for as long as that has taken."""
PATIENCE_SECONDS = 1.0
"""A page waits so long for what is being looked up; then it shows what is known."""

KEPT_SECONDS = 120.0
"""A result of which nothing has changed is looked up after so long, for what depends on the time alone: what the log is
about to delete, transactions that stay open, the slots of databases."""
THREADS = 4
"""So many results are looked up at once: much of it is waiting for files and brokers."""


@dataclass(frozen=True)
class Overview:
    """What is known of all results in a folder of tables."""

    taken_time: datetime
    tables: str
    """The folder."""
    results: tuple[ResultOverview, ...]
    """By name."""
    unseen: tuple[str, ...]
    """Results that were not looked up yet."""
    fault: str | None
    """Why the folder of tables cannot be read."""

    @property
    def log_fault(self) -> str | None:
        """Why the broker gives no answer; None if it does, or if there is none."""
        found = (each for result in self.results for each in result.assessment.findings)
        return next((each.what for each in found if each.state == State.UNKNOWN), None)

    def counts(self) -> dict[State, int]:
        """How many results have each state, the worst first."""
        return assessment.counts(each.assessment for each in self.results)

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "taken_time": self.taken_time.isoformat(),
            "tables": self.tables,
            "fault": self.fault,
            "log_fault": self.log_fault,
            "states": {str(state): count for state, count in self.counts().items()},
            "unseen": list(self.unseen),
            "results": [each.record() for each in self.results],
        }


@dataclass(frozen=True)
class _Known:
    """What was looked up."""

    overview: ResultOverview
    stamp: Hashable | None
    """What it was made of, as stamps.py tells changes; None: nobody can tell."""
    until: float
    """When it is too old in any case."""


class Results:
    """Looks all results up, in threads of their own, when somebody asks and what is known is too old. Of results of
    which nothing has changed it reads no table.
    """

    def __init__(self, places: Places, take: Take = result_overview.take) -> None:
        self._places, self._take = places, take
        self._known: dict[str, _Known] = {}
        self._names: list[str] = []
        self._fault: str | None = None
        self._round = BackgroundQuestion(self._look_up, FRESH_SECONDS, rests_as_long=True)

    def now(self, patience_seconds: float | None = PATIENCE_SECONDS) -> Overview:
        """What is known, at best FRESH_SECONDS old; what takes longer than `patience_seconds` comes the next time. None
        waits for all.
        """
        self._round.now(patience_seconds)
        known, names = dict(self._known), list(self._names)
        seen = tuple(known[name].overview for name in names if name in known)
        unseen = tuple(name for name in names if name not in known)
        return Overview(datetime.now(UTC), self._places.tables, seen, unseen, self._fault)

    def _look_up(self) -> None:
        try:
            with patience.ask_once(lambda _: None):
                self._names, self._fault = ledger.results(self._places), None
                self._look_up_all(self._names, stamps.tables(self._places))
        except OSError as error:
            self._names, self._fault = [], f"the folder of tables cannot be read: {error.strerror or error}"
        except Exception as error:  # of object storage, which raises kinds of its own
            self._fault = f"the results cannot be looked up: {explain(error)}"

    def _look_up_all(self, names: Sequence[str], tables: Sequence[str]) -> None:
        """The first one alone: what the broker has answered about it, or not, is not asked again for the others."""
        for name in names[:1]:
            self._look_up_one(name, tables)
        with ThreadPoolExecutor(THREADS) as threads:
            tasks = [threads.submit(copy_context().run, self._look_up_one, name, tables) for name in names[1:]]
            try:
                for task in tasks:
                    task.result()
            finally:  # after a fault the others need not be looked up
                threads.shutdown(cancel_futures=True)

    def _look_up_one(self, name: str, tables: Sequence[str]) -> None:
        before, now = self._known.get(name), datetime.now(UTC)
        own = stamps.of_result(self._places, name, tables)
        is_young = before is not None and own is not None and time.monotonic() < before.until
        if before and is_young and before.stamp == (own, stamps.of_log(self._places, before.overview.topics)):
            self._known[name] = replace(before, overview=replace(before.overview, taken_time=now))
            return
        found = self._take(self._places, name)
        stamp = None if own is None else (own, stamps.of_log(self._places, found.topics))
        self._known[name] = _Known(found, stamp, time.monotonic() + KEPT_SECONDS)
