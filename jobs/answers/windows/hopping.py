"""Windows of one length that overlap."""

from dataclasses import dataclass

import numpy as np

from jobs.answers.windows import offsets
from jobs.answers.windows.window import Buckets, check_fills
from jobs.facts.partials import PaneColumn
from jobs.running import durations
from jobs.running.errors import Mistake


@dataclass(frozen=True)
class Hopping:
    """Windows of `size`, from each multiple of `every` since 1970 UTC. Labelled "hopping SIZE every EVERY".

    1970 began on a Thursday: with a hop of a week each window does. With an offset, windows begin so much later, and
    the label ends with "offset OFFSET".
    """

    size: str
    """Length of a window, one hop or more, and a whole number of panes: "1 hour"."""
    every: str
    """From the start of a window to the start of the next, a whole number of panes: "5 minutes"."""
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the expensive part of overlapping windows."""
    offset: str | None = None
    """How long after multiples of `every` windows begin; shorter than a hop, a whole number of panes: "2 minutes"."""

    @property
    def name(self) -> str:
        """The label in column `window_kind`."""
        return f"hopping {self.size} every {self.every}{offsets.label(self.offset)}"

    def check(self, every_seconds: int) -> None:
        """Raises Mistake if panes of `every_seconds` do not fill these windows exactly, or some are in no window."""
        size, hop = self._size_seconds, self._hop_seconds
        if size < hop:
            raise Mistake(
                f"{self.name}: the size of {durations.text(size)} is shorter than the hop of {durations.text(hop)}, so "
                f"some records would be in no window. Take a size of {durations.text(hop)} or more, or a hop of "
                f"{durations.text(size)} or less"
            )
        lengths = {"size": size, "hop": hop}
        check_fills(self.name, lengths | offsets.length(self.name, self.offset, "hop", hop), every_seconds)

    def starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the last window that holds the pane, in seconds since 1970 UTC, as are the panes' starts."""
        starts: np.ndarray = seconds - (seconds - self._offset_seconds) % self._hop_seconds
        return starts

    def first_starts(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the first window that holds the pane."""
        return self.starts(seconds - self._size_seconds) + self._hop_seconds

    def slots(self, seconds: np.ndarray) -> np.ndarray:
        """Start of the hop that holds the pane, or of the part of it in which the pane lies: see `_parts`."""
        return self._slot_starts(self._slot_numbers(seconds))

    def ends(self, starts: np.ndarray) -> np.ndarray:
        """Where the windows with these starts end."""
        return starts + self._size_seconds

    @property
    def _size_seconds(self) -> int:
        return durations.seconds(self.size)

    @property
    def _hop_seconds(self) -> int:
        return durations.seconds(self.every)

    @property
    def _offset_seconds(self) -> int:
        return offsets.seconds(self.offset)

    @property
    def _part_seconds(self) -> int:
        """How far a window reaches into the last hop that it has a part of; 0 if it is a whole number of hops."""
        return self._size_seconds % self._hop_seconds

    @property
    def _parts(self) -> int:
        """Slots in a hop: one, or two if windows end inside of hops. Then the first part ends where they do."""
        return 2 if self._part_seconds else 1

    @property
    def depth(self) -> int:
        """Slots in a window: of one of 60 minutes every 25 minutes two whole hops, and 10 minutes of a third."""
        return self._size_seconds // self._hop_seconds * self._parts + (self._parts - 1)

    def _slot_numbers(self, seconds: np.ndarray) -> np.ndarray:
        """Slots are numbered in order of time; windows begin at those whose number is a multiple of `_parts`."""
        hops, inside = np.divmod(seconds - self._offset_seconds, self._hop_seconds)
        numbers: np.ndarray = hops * self._parts
        return numbers + (inside >= self._part_seconds) if self._part_seconds else numbers

    def _slot_starts(self, numbers: np.ndarray) -> np.ndarray:
        hops, parts = np.divmod(numbers, self._parts)
        starts: np.ndarray = hops * self._hop_seconds + parts * self._part_seconds + self._offset_seconds
        return starts

    def spread(self, buckets: Buckets) -> Buckets:
        """From slots, in order of group and time, to windows.

        Slots that share a window make a run. A run is laid out with one place for each slot in which a window of it may
        begin: depth - 1 empty places, then its slots. The window at a place holds the slots there and at the depth - 1
        places after it. With depth 3, slots 0, 1 and 3 are laid out as - - 0 1 - 3, and (with two more empty places
        behind the last run) give six windows, from the slots -2 to 3: {0}, {0 1}, {0 1}, {1 3}, {3}, {3}. If a hop has
        two slots, windows begin at even ones only: those of -2, 0 and 2.
        """
        groups, depth, slots = buckets.groups, self.depth, self._slot_numbers(buckets.starts)
        opens = np.append(True, (groups[1:] != groups[:-1]) | (slots[1:] - slots[:-1] > depth))
        run = np.cumsum(opens) - 1
        first = np.flatnonzero(opens)
        last = np.append(first[1:], len(slots)) - 1
        lengths = slots[last] - slots[first] + depth
        begins = np.concatenate([[0], np.cumsum(lengths)])
        places = begins[run] + slots - slots[first][run] + depth - 1
        total = int(begins[-1])
        numbers = np.repeat(slots[first] - depth + 1 - begins[:-1], lengths) + np.arange(total)
        chosen = np.flatnonzero(numbers % self._parts == 0)

        def slide(column: PaneColumn) -> PaneColumn:
            values = np.full((total + depth - 1, *column.values.shape[1:]), column.nothing, column.values.dtype)
            values[places] = column.values
            return column.with_values(values).slide(depth).take(chosen)

        columns = {name: slide(column) for name, column in buckets.columns.items()}
        rows, groups = (np.repeat(each[first], lengths)[chosen] for each in (buckets.rows, groups))
        return Buckets(rows, groups, self._slot_starts(numbers[chosen]), columns)

    def count(self, groups: np.ndarray, slots: np.ndarray) -> int:
        """Windows that two slots share count once."""
        last = self._slot_numbers(slots)
        before = last - self.depth
        same = np.flatnonzero(groups[1:] == groups[:-1]) + 1
        before[same] = np.maximum(before[same], last[same - 1])
        return int((last // self._parts - before // self._parts).sum())
