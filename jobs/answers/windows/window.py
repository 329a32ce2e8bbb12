"""What every kind of window must be able to do with panes. To add one: a file like its neighbours here, its line in
__init__.py, and a test.

All instants are seconds since 1970 UTC. A window holds the panes whose starts are in [start, end): bounds and
membership must be computed by the same function. A kind whose windows follow each other without a gap, as most do, has
one window for each pane; if windows overlap, a pane is in several: see hopping.py.
"""

from dataclasses import dataclass
from math import gcd
from typing import Protocol

import numpy as np

from jobs.facts.partials import PaneColumn
from jobs.running import durations
from jobs.running.errors import Mistake

KEYS = ("window", "window_start", "window_end")
"""Columns that identify a window, together with its group."""


@dataclass(frozen=True)
class Buckets:
    """Panes combined by group, and by the last window that holds them: in order of group and of time."""

    rows: np.ndarray
    """For each bucket a row of its group in the table of panes."""
    groups: np.ndarray
    """For each bucket the number of its group, as partials.group_keys gives it."""
    starts: np.ndarray
    """For each bucket the start of its last window."""
    columns: dict[str, PaneColumn]
    """By name, with one value for each bucket."""


class Window(Protocol):
    """A kind of window with its parameters: a frozen dataclass."""

    @property
    def name(self) -> str:
        """The label in column `window`. It is stored: with another label it is another window."""

    @property
    def uniques(self) -> bool:
        """False leaves distinct counts out (null): merging sketches is expensive where windows overlap."""

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if panes of `every_seconds` do not fill these windows exactly."""

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the last window that holds the pane which starts at each of `seconds`; never decreases with it."""

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane which starts at each of `seconds`; never decreases with it."""

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""

    def spread(self, buckets: Buckets) -> Buckets:
        """All windows that hold a pane, once for each group: `buckets` itself if each pane is in one window."""

    def count(self, groups: np.ndarray, starts: np.ndarray) -> int:
        """How many windows `spread` makes of buckets with these groups and starts."""


def first_start(windows: tuple[Window, ...], second: int) -> int:
    """Start of the first window that holds the pane which starts at `second`, in seconds since 1970 UTC.

    It never decreases from one pane to the next; nor does `last_end`.
    """
    return min(int(window.first_starts(np.array([second]))[0]) for window in windows)


def last_end(windows: tuple[Window, ...], second: int) -> int:
    """End of the last window that holds the pane which starts at `second`, in seconds since 1970 UTC."""
    return max(int(window.ends(window.starts(np.array([second])))[0]) for window in windows)


def check_fills(name: str, what: str, seconds: int, unit: str, unit_seconds: int) -> None:
    """Raises Mistake unless `seconds` is a whole number of units."""
    if seconds % unit_seconds:
        length, every = durations.text(seconds), durations.text(unit_seconds)
        raise Mistake(
            f"{name}: the {what} of {length} is not a whole number of {unit}s of {every}. Take a {what} that is a "
            f"multiple of {every}, or {unit}s of {durations.text(gcd(seconds, unit_seconds))}"
        )
