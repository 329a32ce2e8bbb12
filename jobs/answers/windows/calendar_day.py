"""Days of a time zone."""

from dataclasses import dataclass

import numpy as np

from jobs.answers import days
from jobs.answers.windows import calendar
from jobs.answers.windows.window import Buckets


@dataclass(frozen=True)
class CalendarDay:
    """Days from midnight to midnight in `zone`, or as days.py says where clocks change then. Labelled "day ZONE".

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
        calendar.check(self.name, self.zone, "day", every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the day that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        return days.starts(self.zone, seconds, "day")

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane: there is one."""
        return self.starts(seconds)

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the days with these starts end."""
        return days.ends(self.zone, starts, "day")

    def spread(self, buckets: Buckets) -> Buckets:
        """Each pane is in one window."""
        return buckets

    def count(self, groups: np.ndarray, starts: np.ndarray) -> int:
        """Each bucket is a window."""
        return len(starts)
