"""Old names of modules, from version 0.2: importing one raises Mistake with what to write instead."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from jobs.running.errors import Mistake

NOW = {
    "jobs.sinks": "a result is kept by `from jobs import keeping`, and in main: keeping.keep(run, RESULT)",
    "jobs.sources": (
        "keeping.keep(run, RESULT) opens the log itself, so `from jobs.sources import log` goes; readers of results "
        "are in jobs.publishing.results"
    ),
    "jobs.transforms": (
        "write jobs.answers.result (Result), jobs.facts.panes (Panes), jobs.answers.windows (Tumbling, Hopping, "
        "CalendarDay), jobs.decisions.membership (Membership)"
    ),
    "jobs.archive": "the job is jobs/kafka_archive.py",
}
"""What to write in place of a package that is gone."""


class _Finder(MetaPathFinder):
    """Python asks it last, after it has found no such module."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in NOW:
            raise Mistake(f"{fullname} has moved: {NOW[fullname]}")
        return None


def watch() -> None:
    """Refuse imports of the old names from now on."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
