"""Windows side by side, all of one length."""

from dataclasses import dataclass

import numpy as np

from jobs.answers.windows.window import Buckets, check_fills
from jobs.running import durations


@dataclass(frozen=True)
class Tumbling:
    """Windows side by side, each `size` long, from multiples of `size` since 1970 UTC. Labelled "tumbling SIZE".

    1970 began on a Thursday, and so does each window of a week; see CalendarWeek for others.
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
        check_fills(self.name, "size", durations.seconds(self.size), "pane", every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        starts: np.ndarray = seconds - seconds % durations.seconds(self.size)
        return starts

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane: there is one."""
        return self.starts(seconds)

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""
        return starts + durations.seconds(self.size)

    def spread(self, buckets: Buckets) -> Buckets:
        """Each pane is in one window."""
        return buckets

    def count(self, groups: np.ndarray, starts: np.ndarray) -> int:
        """Each bucket is a window."""
        return len(starts)
