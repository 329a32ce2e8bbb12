"""Windows as values: each says which windows a pane belongs to; a window's row is the merge of its panes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import gcd

import numpy as np

from jobs.answers import days
from jobs.running import durations
from jobs.running.errors import Mistake


@dataclass(frozen=True)
class Tumbling:
    """Windows side by side, each `size` long, from multiples of `size` since 1970 UTC. Labelled "tumbling SIZE".

    1970 began on a Thursday, and so does each window of a week.
    """

    size: str
    """Length of a window, a whole number of panes: "1 hour"."""
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the expensive part of overlapping windows."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"tumbling {self.size}"

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if panes of `every_seconds` do not fill these windows exactly."""
        _check_fills(self.name, "size", durations.seconds(self.size), "pane", every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        begun: np.ndarray = seconds - seconds % durations.seconds(self.size)
        return begun

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""
        return starts + durations.seconds(self.size)

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane: there is one."""
        return self.starts(seconds)


@dataclass(frozen=True)
class Hopping:
    """Windows of `size`, from each multiple of `every` since 1970 UTC. Labelled "hopping SIZE every EVERY".

    1970 began on a Thursday: with a hop of a week each window does.
    """

    size: str
    """Length of a window, a whole number of hops: "1 hour"."""
    every: str
    """From the start of a window to the start of the next, a whole number of panes: "5 minutes"."""
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the expensive part of overlapping windows."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"hopping {self.size} every {self.every}"

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if panes of `every_seconds` do not fill these windows exactly."""
        _check_fills(self.name, "size", durations.seconds(self.size), "hop", self.hop_seconds)
        _check_fills(self.name, "hop", self.hop_seconds, "pane", every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the last window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        begun: np.ndarray = seconds - seconds % self.hop_seconds
        return begun

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""
        return starts + durations.seconds(self.size)

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane."""
        return self.starts(seconds) - durations.seconds(self.size) + self.hop_seconds

    @property
    def hop_seconds(self) -> int:
        """From the start of a window to the start of the next."""
        return durations.seconds(self.every)

    @property
    def depth(self) -> int:
        """How many windows hold a pane."""
        return durations.seconds(self.size) // self.hop_seconds


@dataclass(frozen=True)
class CalendarDay:
    """Days from midnight to midnight in `zone`, or as days.py says where clocks are changed then. Labelled "day ZONE".

    Mostly 24 hours long; 23 or 25 when clocks change by an hour, 27 where they have gone back by three.
    """

    zone: str
    """A zone of the tz database: "Europe/Berlin"."""
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the expensive part of overlapping windows."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"day {self.zone}"

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if the zone is unknown, or if one of its days begins inside a pane of `every_seconds`."""
        if not days.is_zone(self.zone):
            raise Mistake(
                f"{self.name}: there is no time zone of this name. Take one of the tz database, such as Europe/Berlin"
            )
        starts = days.all_starts(self.zone)
        inside = starts[starts % every_seconds != 0]
        if len(inside):
            begins = datetime.fromtimestamp(int(inside[0]), UTC)
            longest = durations.text(int(np.gcd.reduce(starts)))
            raise Mistake(
                f"{self.name}: a day there begins at {begins:%Y-%m-%d %H:%M:%S} UTC, inside a pane of "
                f"{durations.text(every_seconds)}. Take panes of {longest}, the longest that fit every day from 1970 "
                "on, or of a length that divides it"
            )

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the day that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        return days.starts(self.zone, seconds)

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the days with these starts end."""
        return days.ends(self.zone, starts)

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane: there is one."""
        return self.starts(seconds)


Window = Tumbling | Hopping | CalendarDay

KEYS = ("window", "window_start", "window_end")
"""Columns that tell one window from another."""


def first_start(windows: tuple[Window, ...], second: int) -> int:
    """Start of the first window that holds the pane which starts at `second`, in seconds since 1970 UTC.

    It never decreases from one pane to the next; nor does `last_end`.
    """
    return min(int(window.first_starts(np.array([second]))[0]) for window in windows)


def last_end(windows: tuple[Window, ...], second: int) -> int:
    """End of the last window that holds the pane which starts at `second`, in seconds since 1970 UTC."""
    return max(int(window.ends(window.starts(np.array([second])))[0]) for window in windows)


def _check_fills(name: str, what: str, seconds: int, unit: str, unit_seconds: int) -> None:
    """Raises Mistake unless `seconds` is a whole number of units."""
    if seconds % unit_seconds:
        length, every = durations.text(seconds), durations.text(unit_seconds)
        raise Mistake(
            f"{name}: the {what} of {length} is not a whole number of {unit}s of {every}. Take a {what} that is a "
            f"multiple of {every}, or {unit}s of {durations.text(gcd(seconds, unit_seconds))}"
        )
