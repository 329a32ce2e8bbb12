"""What the windows of a calendar have in common: a time zone, whose clocks say when they begin."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import numpy as np

from jobs.answers.windows import days
from jobs.answers.windows.days import Period
from jobs.answers.windows.side_by_side import SideBySide
from jobs.running import durations
from jobs.running.errors import Mistake


@dataclass(frozen=True)
class Calendar(SideBySide):
    """Hours, days, weeks, months or years of a time zone."""

    zone: str
    """A zone of the tz database: "Europe/Berlin"."""
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the expensive part of overlapping windows."""

    period: ClassVar[Period]
    """What each window is."""

    @property
    def name(self) -> str:
        """The label in column `window_kind`."""
        return f"{self.period} {self.zone}"

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if the zone is unknown, or if a period of it begins inside a pane of `every_seconds`."""
        if not days.is_zone(self.zone):
            raise Mistake(
                f"{self.name}: there is no time zone of this name. Take one of the tz database, such as Europe/Berlin"
            )
        starts = days.all_starts(self.zone, self.period)
        inside = starts[starts % every_seconds != 0]
        if len(inside):
            begins = datetime.fromtimestamp(int(inside[0]), UTC)
            longest = durations.text(int(np.gcd.reduce(starts)))
            one = f"{'an' if self.period == 'hour' else 'a'} {self.period}"
            raise Mistake(
                f"{self.name}: {one} there begins at {begins:%Y-%m-%d %H:%M:%S} UTC, inside a pane of "
                f"{durations.text(every_seconds)}. Take panes of {longest}, the longest that fit every {self.period} "
                "from 1970 on, or of a length that divides it"
            )

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the period that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        return days.starts(self.zone, seconds, self.period)

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the periods with these starts end."""
        return days.ends(self.zone, starts, self.period)
