"""Steps of a batch and kinds of ledger rows, in the words in which commits and the ledger store them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Step(StrEnum):
    """What one commit writes. Stored in the metadata of commits: a name must not change."""

    QUARANTINE = "quarantine"
    STRAGGLERS = "stragglers"
    PANES = "panes"
    ROWS = "rows"
    SPELLS = "spells"
    EVENTS = "events"
    """Kept events of a topic."""
    FILTERS = "filters"
    CLOCKS = "clocks"
    """State of a decision: its kind, see Decision.kind."""
    WINDOWS = "windows"
    PUBLISH = "publish"
    """Windows outside of a batch: a step of its own, as the next batch may get the same sequence if the run stops
    before its ledger row."""
    EXPIRE = "expire"
    """Kept events that no answer needs any more are removed."""
    FEED = "feed"
    """What a publish has changed in one answer."""
    WINDOWS_FINAL = "windows final"
    """That windows have become final, and those that are made of days, if Spark publishes the others: else both are in
    the commit of the windows."""
    PUBLISH_FINAL = "publish final"
    """The same, outside of a batch."""
    LEDGER = "ledger"
    REMOVE_WINDOWS = "remove windows"
    """The rows of windows that the result no longer has."""
    ADD_WINDOWS = "add windows"
    """The rows of windows that the result did not have, from all panes."""
    ADD_WINDOWS_FINAL = "add windows final"
    """As windows final, when windows are added."""
    WIDEN = "widen"
    """A table is written anew in wider columns."""


class Kind(StrEnum):
    """Why a row is in the ledger. Stored there: a name must not change."""

    START = "start"
    BATCH = "batch"
    PUBLISH = "publish"
    REQUEUE = "requeue"
    COMPLETE = "complete"
    """A person has said that time has come."""
    DELIVER = "deliver"
    """What is delivered is noted, at the end of a run."""
    GAP = "gap"
    """Records that the log has lost, and that was accepted."""
    WIDEN = "widen"


@contextmanager
def announce(step: Callable[[str], None], name: str) -> Iterator[None]:
    """Tell `step` (Run.step) that the commit `name` comes, and that it is there; not the latter if it fails."""
    step(f"before {name}")
    yield
    step(f"after {name}")
