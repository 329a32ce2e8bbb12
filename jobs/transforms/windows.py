"""Windows as values: each says which windows a pane belongs to; a window's row is the merge of its panes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from jobs.running.errors import Mistake
from jobs.transforms import durations


@dataclass(frozen=True)
class Tumbling:
    """Windows side by side, each `size` long, from multiples of `size` since 1970 UTC. Labelled "tumbling SIZE"."""

    size: str
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the dear part of a window that overlaps others."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"tumbling {self.size}"

    @property
    def reach_seconds(self) -> int:
        """The longest time between a pane of the window and the window's ends."""
        return durations.seconds(self.size)

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if panes of `every_seconds` do not fill these windows exactly."""
        if durations.seconds(self.size) % every_seconds:
            raise Mistake(f"{self.name}: the size is not a whole number of panes")

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        begun: np.ndarray = seconds - seconds % durations.seconds(self.size)
        return begun

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""
        return starts + durations.seconds(self.size)


@dataclass(frozen=True)
class Hopping:
    """Windows of `size`, from each multiple of `every` since 1970 UTC. Labelled "hopping SIZE every EVERY"."""

    size: str
    every: str
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the dear part of a window that overlaps others."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"hopping {self.size} every {self.every}"

    @property
    def reach_seconds(self) -> int:
        """The longest time between a pane of the window and the window's ends."""
        return durations.seconds(self.size)

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if panes of `every_seconds` do not fill these windows exactly."""
        size, hop = durations.seconds(self.size), durations.seconds(self.every)
        if size % hop or hop % every_seconds:
            raise Mistake(f"{self.name}: the size must be a whole number of hops and the hop of panes")

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the last window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        begun: np.ndarray = seconds - seconds % self.hop_seconds
        return begun

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""
        return starts + durations.seconds(self.size)

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
    """Days from midnight to midnight in `zone`: 23 or 25 hours long when clocks change. Labelled "day ZONE"."""

    zone: str
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the dear part of a window that overlaps others."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"day {self.zone}"

    @property
    def reach_seconds(self) -> int:
        """The longest time between a pane of the window and the window's ends."""
        return 26 * 3600

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if the zone is unknown, or if its midnights since 1970 cut a pane of `every_seconds`."""
        try:
            zone = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise Mistake(f"{self.name}: there is no time zone of this name") from None
        first = datetime(1970, 1, 1, tzinfo=UTC)
        offsets = {(first + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(0, 25_000, 7)}
        if any(offset and offset.total_seconds() % every_seconds for offset in offsets):
            raise Mistake(f"{self.name}: midnight there falls inside a pane; take shorter panes")

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the day that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        zone = ZoneInfo(self.zone)
        some, which = np.unique(seconds, return_inverse=True)
        days = [datetime.fromtimestamp(second, zone).date() for second in some.tolist()]
        return np.array([self._midnight(day) for day in days], np.int64)[which]

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the days with these starts end."""
        zone = ZoneInfo(self.zone)
        some, which = np.unique(starts, return_inverse=True)
        days = [datetime.fromtimestamp(second, zone).date() for second in some.tolist()]
        return np.array([self._midnight(day + timedelta(days=1)) for day in days], np.int64)[which]

    def _midnight(self, day: date) -> int:
        """When the day begins: an hour later where clocks skip midnight, the first time where it comes twice."""
        return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.zone)).timestamp())


Window = Tumbling | Hopping | CalendarDay

KEYS = ("window", "window_start", "window_end")
"""Columns that tell one window from another."""


def reach_seconds(windows: tuple[Window, ...]) -> int:
    """How far, in seconds, a window can extend on either side of one of its panes."""
    return max(window.reach_seconds for window in windows)
