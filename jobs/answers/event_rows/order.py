"""Events of several topics in canonical order, and what lies before and after each of them within its group.

Canonical order is (event time, place of the topic, partition, offset): no answer depends on the order in which records
were read. A *position* is the place of an event in the order of all groups, one group after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.events import equality
from jobs.facts import partials

_LARGEST = 2**62
"""A whole number below it fits into 64 bits for certain."""


@dataclass(frozen=True)
class Timeline:
    """Events in order of their group, and within a group in canonical order."""

    order: np.ndarray
    """At each position: which of the rows that were sorted lies there."""
    groups: np.ndarray
    """At each position: the number of the group."""
    times: np.ndarray
    """At each position: the event time in microseconds."""
    _keys: np.ndarray
    """At each position: a number that grows with the group and, within it, with time."""
    _origin: int
    _instants: np.ndarray | None
    """The event times there are, in order, if keys count them; None if keys count microseconds since `_origin`."""
    _span: int
    """How many keys a group has."""

    def __len__(self) -> int:
        return len(self.times)

    def is_within(self, positions: np.ndarray, others: np.ndarray, limits: np.ndarray) -> np.ndarray:
        """Whether the event at each of `others` is of the group at `positions`, and not later than `limits`.

        `others` may be len(self): there is no such event.
        """
        if not len(self):
            return np.zeros(len(positions), bool)
        there = np.minimum(others, len(self) - 1)
        is_mate = (others < len(self)) & (self.groups[there] == self.groups[positions])
        is_such: np.ndarray = is_mate & (self.times[there] <= limits)
        return is_such

    def first_at(self, positions: np.ndarray, instants: np.ndarray) -> np.ndarray:
        """The first position, in the group at each of `positions`, with an event time at or after `instants`.

        The position after the group's last one if there is none.
        """
        keys = instants - self._origin if self._instants is None else np.searchsorted(self._instants, instants)
        keys = self.groups[positions] * self._span + np.clip(keys, 0, self._span)
        firsts: np.ndarray = np.searchsorted(self._keys, keys)
        return firsts


def timeline(groups: np.ndarray, times: np.ndarray, ties: Sequence[np.ndarray]) -> Timeline:
    """The events in canonical order, by group.

    `groups`: numbers from 0, not much larger than there are events; `times`: microseconds; `ties`: what orders events
    of the same time, the most important first.
    """
    instants, origin, span = None, 0, 1
    within = times
    if len(times):
        origin = int(times.min())
        span = int(times.max()) - origin + 1
        within = times - origin
        if (int(groups.max()) + 1) * span > _LARGEST:
            instants, within = np.unique(times, return_inverse=True)
            span = len(instants)
    keys = groups * span + within
    order = np.argsort(keys)
    keys = keys[order]
    _sort_ties(order, keys, ties)
    return Timeline(order, groups[order], times[order], keys, origin, instants, span)


def _sort_ties(order: np.ndarray, keys: np.ndarray, ties: Sequence[np.ndarray]) -> None:
    """Put rows of the same key into the order of `ties`. They are few: sorting all rows by each of them costs more."""
    same = keys[1:] == keys[:-1]
    tied = np.zeros(len(keys), bool)
    tied[1:] |= same
    tied[:-1] |= same
    positions = np.flatnonzero(tied)
    if len(positions):
        rows = order[positions]
        order[positions] = rows[np.lexsort([*(tie[rows] for tie in reversed(ties)), keys[positions]])]


def group_codes(tables: Sequence[pa.Table], by: tuple[str, ...]) -> np.ndarray:
    """A number from 0 for each row of one table after the other: rows of the same group have the same one.

    Null equals nothing, so a row with a null in its group is a group of its own. The columns `by` have one type in all
    tables.
    """
    rows = sum(len(table) for table in tables)
    if not by or not rows:
        return np.zeros(rows, np.int64)
    columns = {name: pa.chunked_array([part for table in tables for part in table[name].chunks]) for name in by}
    events = equality.normalise_columns(pa.table(columns), by)
    encoded = pa.array(partials.group_keys(events, by)).dictionary_encode()
    codes: np.ndarray = encoded.indices.to_numpy().astype(np.int64)
    alone = np.zeros(rows, bool)
    for name in by:
        if events[name].null_count:
            alone |= pc.is_null(events[name]).to_numpy()
    codes[alone] = len(encoded.dictionary) + np.arange(np.count_nonzero(alone))
    return codes


def next_positions(is_such: np.ndarray) -> np.ndarray:
    """At each position, and at the one after the last: the first position from there on with such an event.

    The number of positions if there is none. It may lie in another group: see Timeline.is_within.
    """
    total = len(is_such)
    positions = np.full(total + 1, total)
    positions[:total][is_such] = np.flatnonzero(is_such)
    return np.minimum.accumulate(positions[::-1])[::-1]


def last_positions(is_such: np.ndarray) -> np.ndarray:
    """At each position, and at the one after the last: the last position before it with such an event, -1 if none.

    It may lie in another group.
    """
    positions = np.full(len(is_such) + 1, -1)
    positions[1:][is_such] = np.flatnonzero(is_such)
    return np.maximum.accumulate(positions)


def running_counts(is_such: np.ndarray) -> np.ndarray:
    """At each position, and at the one after the last: the number of such events before it, in all groups."""
    counts = np.zeros(len(is_such) + 1, np.int64)
    np.cumsum(is_such, out=counts[1:])
    return counts
