"""Weeks of a time zone."""

from dataclasses import dataclass

import numpy as np

from jobs.answers import days
from jobs.answers.windows import calendar
from jobs.answers.windows.window import Buckets


@dataclass(frozen=True)
class CalendarWeek:
    """Weeks from Monday to Monday in `zone`, each of seven days as days.py has them. Labelled "week ZONE".

    Mostly 168 hours long; an hour less or more when clocks change.
    """

    zone: str
    """A zone of the tz database: "Europe/Berlin"."""
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the expensive part of overlapping windows."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"week {self.zone}"

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if the zone is unknown, or if one of its weeks begins inside a pane of `every_seconds`."""
        calendar.check(self.name, self.zone, "week", every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the week that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        return days.starts(self.zone, seconds, "week")

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane: there is one."""
        return self.starts(seconds)

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the weeks with these starts end."""
        return days.ends(self.zone, starts, "week")

    def spread(self, buckets: Buckets) -> Buckets:
        """Each pane is in one window."""
        return buckets

    def count(self, groups: np.ndarray, starts: np.ndarray) -> int:
        """Each bucket is a window."""
        return len(starts)
