"""Statistics of spans of events: for each row the events at the places `first` to `last`, both inclusive.

Whole numbers are added up by differences of running sums. Doubles, minima and maxima go by doubling: the combination of
`width` values from each place on, for width 1, 2, 4 and so on. So a result depends on the values of its span alone, in
their order, to the last bit.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jobs.facts.partials import Combine, PaneColumn


@dataclass(frozen=True)
class Spans:
    """A span for each row; none is empty."""

    first: np.ndarray
    last: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """How many events each span holds."""
        lengths: np.ndarray = self.last - self.first + 1
        return lengths

    def take(self, rows: np.ndarray) -> "Spans":
        """The spans of these rows."""
        return Spans(self.first[rows], self.last[rows])

    def combine(self, column: PaneColumn) -> PaneColumn:
        """The values of each span combined, for a column with a value for each event."""
        if column.combine is not np.add:
            return column.with_values(self._extremes(column))
        if column.values.dtype.kind == "f":
            return column.with_values(self._float_sums(column.values))
        return column.with_values(self._whole_sums(column.values))

    def _whole_sums(self, values: np.ndarray) -> np.ndarray:
        """Exact: a running sum of 64 bits may wrap around, and the difference of two wraps back, as the sum of a span
        fits (PaneColumn has Python's numbers where it might not).
        """
        running = np.zeros(len(values) + 1, values.dtype)
        np.add.accumulate(values, out=running[1:])
        sums: np.ndarray = running[self.last + 1] - running[self.first]
        return sums

    def _float_sums(self, values: np.ndarray) -> np.ndarray:
        """By the binary digits of each length: infinities and NaN stay within the spans that hold them."""
        sums, places, lengths = np.zeros(len(self.first), values.dtype), self.first.copy(), self.lengths
        for width, power in _powers(values, np.add, int(lengths.max(initial=0))):
            rows = np.flatnonzero(lengths & width)
            with np.errstate(invalid="ignore", over="ignore"):
                sums[rows] += power[places[rows]]
            places[rows] += width
        return sums

    def _extremes(self, column: PaneColumn) -> np.ndarray:
        """By two powers that overlap: a value may be combined with itself."""
        lengths = self.lengths
        extremes: np.ndarray = column.values[self.first]
        for width, power in _powers(column.values, column.combine, int(lengths.max(initial=0))):
            rows = np.flatnonzero((lengths >= width) & (lengths < 2 * width))
            extremes[rows] = column.combine(power[self.first[rows]], power[self.last[rows] - width + 1])
        return extremes


def _powers(values: np.ndarray, combine: Combine, longest: int) -> Iterator[tuple[int, np.ndarray]]:
    """For width 1, 2, 4 ... up to `longest`: the width, and from each place on so many values combined."""
    width = 1
    while width <= longest:
        yield width, values
        with np.errstate(invalid="ignore", over="ignore"):
            values = combine(values[:-width], values[width:])
        width *= 2


def first_within(times: np.ndarray, begins: np.ndarray, size: int) -> np.ndarray:
    """For each event the place of the first one of its group that is at most `size` earlier.

    `times` are in order within each group, which begins at `begins`. By halving, all events at once: as many steps as
    the largest group has binary digits.
    """
    low, high = begins.copy(), np.arange(len(times))
    earliest = times - size
    while (low < high).any():
        middle = (low + high) >> 1
        is_before = times[middle] < earliest
        low = np.where(is_before, middle + 1, low)
        high = np.where(is_before, high, middle)
    return low


def last_of_equals(times: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """For each event the place of the last one of its group with the same time."""
    places = np.arange(len(times))
    ends = np.ones(len(times), bool)
    ends[:-1] = (times[1:] != times[:-1]) | (begins[1:] != begins[:-1])
    reverse = np.where(ends, places, len(times))[::-1]
    lasts: np.ndarray = np.minimum.accumulate(reverse)[::-1]
    return lasts


def distinct_counts(spans: Spans, codes: np.ndarray, begins: np.ndarray) -> np.ndarray:
    """How many distinct values each span holds, exactly. For spans of all events, in order: neither their first nor
    their last place ever goes back, and each holds its own event.

    `codes`: a number for each event's value, -1 for none. A value counts where the span has it last: so an event counts
    in the rows from the first span that holds it up to the first span that holds the next event of the same value, or
    that does not hold it any more. That is an interval of rows, and the counts are running sums over its ends.
    """
    length = len(codes)
    places = np.flatnonzero(codes >= 0)
    enters = np.searchsorted(spans.last, places)
    leaves = np.cumsum(np.bincount(spans.first, minlength=length))[places]
    order = np.argsort(begins[places] * (codes.max(initial=0) + 1) + codes[places], kind="stable")
    is_same = (codes[places][order][1:] == codes[places][order][:-1]) & (
        begins[places][order][1:] == begins[places][order][:-1]
    )
    earlier, later = order[:-1][is_same], order[1:][is_same]
    leaves[earlier] = np.minimum(leaves[earlier], enters[later])
    changes = np.bincount(enters, minlength=length + 1) - np.bincount(leaves, minlength=length + 1)
    counts: np.ndarray = np.cumsum(changes)[:length]
    return counts
