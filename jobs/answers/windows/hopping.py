"""Windows of one length that overlap."""

from dataclasses import dataclass

import numpy as np

from jobs.answers.windows.window import Buckets, check_fills
from jobs.facts.partials import PaneColumn
from jobs.running import durations


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
        check_fills(self.name, "size", durations.seconds(self.size), "hop", self.hop_seconds)
        check_fills(self.name, "hop", self.hop_seconds, "pane", every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the last window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        starts: np.ndarray = seconds - seconds % self.hop_seconds
        return starts

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane."""
        return self.starts(seconds) - durations.seconds(self.size) + self.hop_seconds

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

    def spread(self, buckets: Buckets) -> Buckets:
        """From hops, in order of group and time, to windows.

        Hops that share a window make a run. A run is laid out with one place for each of its windows: depth - 1 empty
        places, then its hops. The window at a place holds the hops there and at the depth - 1 places after it. With
        depth 3, hops 0, 1 and 3 are laid out as - - 0 1 - 3, and (with two more empty places behind the last run) give
        six windows, from the hops -2 to 3: {0}, {0 1}, {0 1}, {1 3}, {3}, {3}.
        """
        groups, depth, hops = buckets.groups, self.depth, buckets.starts // self.hop_seconds
        opens = np.append(True, (groups[1:] != groups[:-1]) | (hops[1:] - hops[:-1] > depth))
        run = np.cumsum(opens) - 1
        first = np.flatnonzero(opens)
        last = np.append(first[1:], len(hops)) - 1
        lengths = hops[last] - hops[first] + depth
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = offsets[run] + hops - hops[first][run] + depth - 1
        total = int(offsets[-1])

        def slide(column: PaneColumn) -> PaneColumn:
            values = np.full((total + depth - 1, *column.values.shape[1:]), column.nothing, column.values.dtype)
            values[places] = column.values
            return column.with_values(values).slide(depth)

        first_hops = np.repeat(hops[first] - depth + 1 - offsets[:-1], lengths) + np.arange(total)
        columns = {name: slide(column) for name, column in buckets.columns.items()}
        rows, groups = (np.repeat(numbers[first], lengths) for numbers in (buckets.rows, groups))
        return Buckets(rows, groups, first_hops * self.hop_seconds, columns)

    def count(self, groups: np.ndarray, starts: np.ndarray) -> int:
        """Windows that two hops share count once."""
        hops, same = starts // self.hop_seconds, np.diff(groups) == 0
        return int(np.where(same, np.minimum(np.diff(hops), self.depth), self.depth).sum()) + self.depth
