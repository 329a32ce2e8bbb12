"""What comes after an anchor event, step by step, and what came before it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from jobs.answers.event_rows import order
from jobs.answers.event_rows.event_kinds import KindEvents
from jobs.running import durations
from jobs.running.errors import Mistake

TAKES = ("first", "last", "every")
"""Which of the events that fit a step is taken."""


@dataclass(frozen=True)
class Then:
    """A step: an event that comes after the anchor, or after the event of the step before."""

    event: str
    """A topic of the result, or a boolean column of its events that is true for such an event."""
    within: str
    """At most this long after the event before, inclusive: "10 minutes"."""
    take: Literal["first", "last", "every"] = "first"
    """Which one, if several fit; "every" gives a row for each."""
    without: str | None = None
    """A topic or boolean column: if such an event comes in between, within the limit, the outcome is "broken"."""
    at_most: int | None = None
    """With "every", which needs it: so many rows for an anchor, of the first ones."""
    name: str = ""
    """Prefix of the columns of the event that was found. Default: `event` without is_ at its beginning."""

    def __post_init__(self) -> None:
        durations.seconds(self.within)
        if self.take not in TAKES:
            raise Mistake(f"take={self.take!r} of {self.event}: write one of {', '.join(TAKES)}")
        if self.take == "every" and (self.at_most is None or self.at_most < 1):
            raise Mistake(f'take="every" of {self.event} needs a bound of 1 or more: at_most=10')
        if self.take != "every" and self.at_most is not None:
            raise Mistake(f'at_most of {self.event} goes with take="every"; take="{self.take}" gives one row')

    @property
    def prefix(self) -> str:
        """Of the columns of the event that was found."""
        return self.name or self.event.removeprefix("is_")

    @property
    def micros(self) -> int:
        """`within` in microseconds."""
        return durations.seconds(self.within) * 1_000_000


@dataclass(frozen=True)
class Before:
    """Events that came before the anchor. An anchor that has fewer gives no row."""

    event: str
    """A topic of the result, or a boolean column of its events that is true for such an event."""
    within: str
    """At most this long before the anchor, inclusive: "10 minutes"."""
    times: int = 1
    """At least so many of them."""
    since: str | None = None
    """A topic or boolean column: only events after the last such event before the anchor count."""
    name: str = ""
    """Prefix of the columns. Default: `event` without is_ at its beginning."""

    def __post_init__(self) -> None:
        durations.seconds(self.within)
        if self.times < 1:
            raise Mistake(f"times={self.times} of {self.event}: write 1 or more")

    @property
    def prefix(self) -> str:
        """Of the columns."""
        return self.name or self.event.removeprefix("is_")

    @property
    def micros(self) -> int:
        """`within` in microseconds."""
        return durations.seconds(self.within) * 1_000_000


@dataclass(frozen=True)
class Paths:
    """How far each anchor came; several paths for an anchor with take="every"."""

    anchors: np.ndarray
    """Positions of the anchors."""
    found: tuple[np.ndarray, ...]
    """For each step the positions of the events that were found; -1: not found."""
    steps: np.ndarray
    """How many steps were reached."""
    is_broken: np.ndarray
    """Whether an event of a step's `without` came first."""
    changeable: np.ndarray
    """The last event time, in microseconds, at which a further event could change the path."""


def count_before(events: KindEvents, anchors: np.ndarray, before: Before) -> tuple[np.ndarray, np.ndarray]:
    """How many such events came before each anchor, and the position of the first, which means nothing for none.

    `anchors`: positions.
    """
    times = events.timeline.times
    begins = events.timeline.first_at(anchors, times[anchors] - before.micros)
    if before.since is not None:
        begins = np.maximum(begins, order.last_positions(events.is_kind[before.since])[anchors] + 1)
    is_such = events.is_kind[before.event]
    counts = order.running_counts(is_such)
    return counts[anchors] - counts[begins], order.next_positions(is_such)[begins]


def follow(events: KindEvents, anchors: np.ndarray, then: tuple[Then, ...]) -> Paths:
    """The paths of these anchors, which are positions, through all steps."""
    nothing = np.zeros(len(anchors), np.int64)
    paths = Paths(anchors, (), nothing, nothing.astype(bool), events.timeline.times[anchors])
    for number, step in enumerate(then):
        is_on = paths.steps == number
        ended, going_on = np.flatnonzero(~is_on), np.flatnonzero(is_on)
        at = paths.found[-1][going_on] if number else anchors
        rows, found, is_broken, changeable = _take_step(events, at, step)
        former = np.concatenate([ended, going_on[rows]])
        positions = np.concatenate([np.full(len(ended), -1), found])
        paths = Paths(
            paths.anchors[former],
            (*(each[former] for each in paths.found), positions),
            paths.steps[former] + (positions >= 0),
            np.concatenate([paths.is_broken[ended], is_broken]),
            np.maximum(paths.changeable[former], np.concatenate([paths.changeable[ended], changeable])),
        )
    return paths


def _take_step(events: KindEvents, at: np.ndarray, step: Then) -> tuple[np.ndarray, ...]:
    """The step from the events at these positions.

    For each path: the row of `at`, the position of the event that was found or -1, whether the step is broken, and the
    last event time at which a further event could change that.
    """
    timeline = events.timeline
    is_such = events.is_kind[step.event]
    limits = timeline.times[at] + step.micros
    rows = np.arange(len(at))
    stops, is_stopped = np.full(len(at), len(timeline)), np.zeros(len(at), bool)
    if step.without is not None:
        stops = order.next_positions(events.is_kind[step.without])[at + 1]
        is_stopped = timeline.is_within(at, stops, limits)
    ends_at = limits.copy()
    ends_at[is_stopped] = timeline.times[stops[is_stopped]]
    if step.take == "first":
        nearest = order.next_positions(is_such)[at + 1]
        is_found = timeline.is_within(at, nearest, limits) & (~is_stopped | (nearest <= stops))
        found = np.where(is_found, nearest, -1)
    else:  # an event that is of both kinds does not come before itself, so it can be found
        ends = np.where(is_stopped, stops + 1, timeline.first_at(at, limits + 1))
        if step.take == "last":
            found = order.last_positions(is_such)[ends]
            found = np.where(found > at, found, -1)
            return rows, found, is_stopped & (found < 0), ends_at
        rows, found = _every(is_such, at + 1, ends, step.at_most or 1)
    changeable = ends_at[rows]
    changeable[found >= 0] = timeline.times[found[found >= 0]]
    return rows, found, is_stopped[rows] & (found < 0), changeable


def _every(is_such: np.ndarray, begins: np.ndarray, ends: np.ndarray, at_most: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `at_most` events in each [begin, end), or -1 once if there is none; and the row of `begins` of each."""
    counts, positions = order.running_counts(is_such), np.flatnonzero(is_such)
    numbers = np.minimum(counts[ends] - counts[begins], at_most)
    repeats = np.maximum(numbers, 1)
    rows = np.repeat(np.arange(len(begins)), repeats)
    nth = np.arange(len(rows)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    found = np.full(len(rows), -1)
    is_found = numbers[rows] > 0
    found[is_found] = positions[(counts[begins][rows] + nth)[is_found]]
    return rows, found
