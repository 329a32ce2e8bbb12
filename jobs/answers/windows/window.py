"""What every kind of window must be able to do with panes. To add one: a file like its neighbours here, its line in
__init__.py, and a test.

All instants are seconds since 1970 UTC. A window holds the panes whose starts are in [start, end): bounds and
membership must be computed by the same function. A kind whose windows follow each other without a gap, as most do, has
one window for each pane: see side_by_side.py. If windows overlap, a pane is in several: see hopping.py.

A slot is a span of time that begins or ends with a window, with no start and no end of one inside: the panes in it are
in the same windows, so they are added up once for all of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import Protocol

import numpy as np

from jobs.facts.partials import PaneColumn
from jobs.running import durations
from jobs.running.errors import Mistake

KIND = "window_kind"
"""The column of published windows with the label of the kind of window."""
EARLIER_KIND = "window"
"""Its name in tables that version 0.3.0 and earlier ones made; they keep it."""
KEYS = (KIND, "window_start", "window_end")
"""Columns that identify a window, together with its group."""


@dataclass(frozen=True)
class Buckets:
    """Panes combined by group and slot: in order of group and of time."""

    rows: np.ndarray
    """For each bucket a row of its group in the table of panes."""
    groups: np.ndarray
    """For each bucket the number of its group, as partials.group_keys gives it."""
    starts: np.ndarray
    """For each bucket the start of its slot; after `Window.spread` the start of its window."""
    columns: dict[str, PaneColumn]
    """By name, with one value for each bucket."""


class Window(Protocol):
    """A kind of window with its parameters: a frozen dataclass."""

    @property
    def name(self) -> str:
        """The label in column `window_kind`. It is stored: with another label it is another window."""

    @property
    def uniques(self) -> bool:
        """False leaves distinct counts out (null): merging sketches is expensive where windows overlap."""

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if panes of `every_seconds` do not fill these windows exactly."""

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the last window that holds the pane which starts at each of `seconds`; never decreases with it."""

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane which starts at each of `seconds`; never decreases with it."""

    def slots(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the slot that holds the pane which starts at each of `seconds`; never decreases with it."""

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""

    def spread(self, buckets: Buckets) -> Buckets:
        """All windows that hold a pane, once for each group: `buckets` itself if each pane is in one window."""

    def count(self, groups: np.ndarray, slots: np.ndarray) -> int:
        """How many windows `spread` makes of buckets with these groups and starts of slots."""


def first_start(windows: tuple[Window, ...], second: int) -> int:
    """Start of the first window that holds the pane which starts at `second`, in seconds since 1970 UTC.

    It never decreases from one pane to the next; nor does `last_end`.
    """
    return min(int(window.first_starts(np.array([second]))[0]) for window in windows)


def last_end(windows: tuple[Window, ...], second: int) -> int:
    """End of the last window that holds the pane which starts at `second`, in seconds since 1970 UTC."""
    return max(int(window.ends(window.starts(np.array([second])))[0]) for window in windows)


def check_fills(name: str, lengths: Mapping[str, int], pane_seconds: int) -> None:
    """Raises Mistake unless each of these lengths in seconds, named "size" and so on, is a whole number of panes."""
    for what, seconds in lengths.items():
        if seconds % pane_seconds:
            length, every = durations.text(seconds), durations.text(pane_seconds)
            one = f"{'an' if what == 'offset' else 'a'} {what}"
            raise Mistake(
                f"{name}: the {what} of {length} is not a whole number of panes of {every}. Take {one} that is "
                f"a multiple of {every}, or panes of {durations.text(gcd(pane_seconds, *lengths.values()))}"
            )
