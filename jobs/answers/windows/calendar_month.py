"""Months of a time zone."""

from dataclasses import dataclass

import numpy as np

from jobs.answers import days
from jobs.answers.windows import calendar
from jobs.answers.windows.window import Buckets


@dataclass(frozen=True)
class CalendarMonth:
    """Months of the calendar in `zone`, each of 28 to 31 days as days.py has them. Labelled "month ZONE".

    An hour shorter or longer than its days when clocks change.
    """

    zone: str
    """A zone of the tz database: "Europe/Berlin"."""
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the expensive part of overlapping windows."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"month {self.zone}"

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if the zone is unknown, or if one of its months begins inside a pane of `every_seconds`."""
        calendar.check(self.name, self.zone, "month", every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the month that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        return days.starts(self.zone, seconds, "month")

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane: there is one."""
        return self.starts(seconds)

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the months with these starts end."""
        return days.ends(self.zone, starts, "month")

    def spread(self, buckets: Buckets) -> Buckets:
        """Each pane is in one window."""
        return buckets

    def count(self, groups: np.ndarray, starts: np.ndarray) -> int:
        """Each bucket is a window."""
        return len(starts)
