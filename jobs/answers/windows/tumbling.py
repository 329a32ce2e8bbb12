"""Windows side by side, all of one length."""

from dataclasses import dataclass

import numpy as np

from jobs.answers.windows import offsets
from jobs.answers.windows.side_by_side import SideBySide
from jobs.answers.windows.window import check_fills
from jobs.running import durations


@dataclass(frozen=True)
class Tumbling(SideBySide):
    """Windows side by side, each `size` long, from multiples of `size` since 1970 UTC. Labelled "tumbling SIZE".

    1970 began on a Thursday, and so does each window of a week; see CalendarWeek for others. With an
    offset, windows begin so much later, and the label ends with "offset OFFSET".
    """

    size: str
    """Length of a window, a whole number of panes: "1 hour"."""
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the expensive part of overlapping windows."""
    offset: str | None = None
    """How long after multiples of `size` windows begin; shorter than `size`, a whole number of panes: "15 minutes"."""

    @property
    def name(self) -> str:
        """The label in column `window_kind`."""
        return f"tumbling {self.size}{offsets.label(self.offset)}"

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if panes of `every_seconds` do not fill these windows exactly."""
        size = durations.seconds(self.size)
        lengths = {"size": size} | offsets.length(self.name, self.offset, "size", size)
        check_fills(self.name, lengths, every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        starts: np.ndarray = seconds - (seconds - offsets.seconds(self.offset)) % durations.seconds(self.size)
        return starts

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""
        return starts + durations.seconds(self.size)
