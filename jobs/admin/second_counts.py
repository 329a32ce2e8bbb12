"""How often each whole number of seconds occurs, by group: exact percentiles without the single values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SECOND_BITS = 40
"""10,000 years have fewer than 2**39 seconds."""
_MERGE_AT = 100_000
"""So many counts wait, or as many as there are merged ones, before they are merged: each is then merged a few times."""


@dataclass(frozen=True)
class Spread:
    """How values are distributed: `seconds` in rising order, each with the number of its values."""

    seconds: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Number of values."""
        return int(self.counts.sum())

    @property
    def largest(self) -> int:
        """The largest value, seconds; 0 if there is none."""
        return int(self.seconds[-1]) if len(self.seconds) else 0

    def within(self, seconds: int) -> int:
        """How many values are `seconds` or less."""
        return int(self.counts[: np.searchsorted(self.seconds, seconds, side="right")].sum())

    def percentile(self, per_mille: int) -> int:
        """The smallest value, seconds, such that `per_mille` thousandths of the values are not above it: nearest rank.
        There must be a value; `per_mille` is 1 to 1000.
        """
        rank = -(-per_mille * self.total // 1000)
        return int(self.seconds[np.searchsorted(np.cumsum(self.counts), rank)])


class SecondCounts:
    """Counts values in whole seconds, rounded up, in each group. Takes 16 bytes for each different one of a group."""

    def __init__(self) -> None:
        self._merged = _empty()
        self._waiting: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, groups: NDArray[np.int64], micros: NDArray[np.int64]) -> None:
        """Take in a value, in microseconds, for each of `groups` (0 to 2**23 - 1). Below zero counts as zero.

        Rounded up: a value is above a whole number of seconds if, and only if, its count is.
        """
        seconds = -(-np.maximum(micros, 0) // 1_000_000)
        self._waiting.append(np.unique((groups << _SECOND_BITS) | seconds, return_counts=True))
        if sum(len(keys) for keys, _ in self._waiting) > max(_MERGE_AT, len(self._merged[0])):
            self._merge()

    def spread(self, group: int | None = None) -> Spread:
        """The values of a group, or of all of them."""
        self._merge()
        keys, counts = self._merged
        if group is not None:
            start, end = np.searchsorted(keys, [group << _SECOND_BITS, (group + 1) << _SECOND_BITS])
            return Spread(keys[start:end] & ((1 << _SECOND_BITS) - 1), counts[start:end])
        return Spread(*_sum_up(keys & ((1 << _SECOND_BITS) - 1), counts))

    def groups(self) -> list[int]:
        """Those that have a value, in rising order."""
        self._merge()
        groups: list[int] = np.unique(self._merged[0] >> _SECOND_BITS).tolist()
        return groups

    def _merge(self) -> None:
        if self._waiting:
            keys, counts = (np.concatenate(parts) for parts in zip(self._merged, *self._waiting, strict=True))
            self._merged, self._waiting = _sum_up(keys, counts), []


def _empty() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.empty(0, np.int64), np.empty(0, np.int64)


def _sum_up(keys: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different keys, in rising order, and the sum of the counts of each."""
    if not len(keys):
        return _empty()
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    firsts = np.flatnonzero(np.diff(sorted_keys, prepend=sorted_keys[0] - 1))
    return sorted_keys[firsts], np.add.reduceat(counts[order], firsts)
