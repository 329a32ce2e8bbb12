"""Which rows of an answer of kept events may have changed, and how: those of groups that new events or time touched.

A publication works off slices of time, each with the reach of the answer around it: in this process if the events are
few, else in tasks of Spark, by the same function.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import pyarrow as pa

from jobs.answers.event_rows.event_answer import EventAnswer
from jobs.facts.kept_events import KEY_HASH
from jobs.publishing import event_difference
from jobs.publishing.event_difference import Moment
from jobs.publishing.stored_events import Touched
from jobs.running.instants import LAST_MICROS

SLICE_EVENTS = 1_000_000
"""About how many events are looked at at once: each takes some 300 bytes meanwhile."""


class EventSource(Protocol):
    """Where events come from: StoredEvents or EventCache."""

    @property
    def topics(self) -> Collection[str]:
        """Whose events there are."""

    def new(self, since_sequence: int, until_micros: Mapping[str, int]) -> Touched:
        """Times and groups of the events that came later than this ledger row; of some topics only those up to a time,
        in microseconds since 1970.
        """

    def between(self, topic: str, first: int, last: int, until_sequence: int) -> Touched:
        """Times and groups of the events of a topic in [first, last], in microseconds since 1970, up to this ledger
        row.
        """

    def read(self, first: int, last: int, hashes: np.ndarray | None) -> dict[str, pa.Table]:
        """By topic, the events in [first, last] of the groups with these hashes; None: of all groups."""


@dataclass(frozen=True)
class Plan:
    """What one publication looks at."""

    hashes: np.ndarray | None
    """Of the groups that are touched; None: all are."""
    slices: tuple[tuple[int, int], ...]
    """Spans [first, after) of anchor times, in microseconds since 1970, which follow each other."""


def plan(answer: EventAnswer, source: EventSource, before: Moment, now: Moment) -> Plan | None:
    """Which rows may differ between these moments; None if none may."""
    reach_before, reach_after = answer.reach
    new = new_events(answer, source, before, now)
    due = [source.between(*span, before.sequence) for span in _times_touched(answer, source.topics, before, now)]
    micros = np.concatenate([new.micros, *(touched.micros for touched in due)])
    if not len(micros):
        return None
    hashes = np.unique(np.concatenate([new.hashes, *(touched.hashes for touched in due)]))
    first, last = int(micros.min()) - reach_after, int(micros.max()) + reach_before
    events = max(len(new.micros), *(len(touched.micros) for touched in due)) if due else len(new.micros)
    return Plan(hashes, _slices(micros, events, first, last + 1))


def new_events(answer: EventAnswer, source: EventSource, before: Moment, now: Moment) -> Touched:
    """Times and groups of the events since `before` that may change rows which are shown now. The row of an event of a
    lone topic is looked at when it falls due.
    """
    if now.open_sequence > before.open_sequence:  # all rows are shown
        return source.new(before.sequence, {})
    until = max(before.complete_micros, now.complete_micros)
    leaves = event_difference.leaves_open_rows(answer, source.topics, before, now)
    topics = source.topics if leaves else answer.lone_topics(source.topics)
    return source.new(before.sequence, dict.fromkeys(topics, until))


def first_needed(answer: EventAnswer, source: EventSource, before: Moment, now: Moment) -> int | None:
    """The earliest time of an event that `plan` and `slice_changes` ask for; None if they ask for none."""
    new = new_events(answer, source, before, now)
    times = [first for _, first, _ in _times_touched(answer, source.topics, before, now)]
    times += [int(new.micros.min())] if len(new.micros) else []
    return min(times) - sum(answer.reach) if times else None


def _times_touched(
    answer: EventAnswer, topics: Collection[str], before: Moment, now: Moment
) -> Iterator[tuple[str, int, int]]:
    """Topics and spans of event times of which the groups may have rows that fall due, or are shown, between these
    moments.
    """
    low, high = sorted((before.complete_micros, now.complete_micros))
    if low < high:
        for topic, waits in answer.waits_by_topic(topics).items():
            for shortest, longest in waits:
                yield topic, low - longest - 1, high - shortest
    if now.open_sequence > before.open_sequence:  # all rows are shown that were not final
        first = low - answer.reach[1] - max(longest for _, longest in answer.waits) - 1
        yield from ((topic, first, LAST_MICROS) for topic in topics)


def _slices(micros: np.ndarray, events: int, first: int, after: int) -> tuple[tuple[int, int], ...]:
    """[first, after) in slices that have about as many of the `events` at these times."""
    parts = max(1, -(-events // SLICE_EVENTS))
    if parts == 1:
        return ((first, after),)
    inner = np.quantile(micros, np.arange(1, parts) / parts, method="lower").astype(np.int64)
    bounds = [first, *np.unique(inner[(inner > first) & (inner < after)]).tolist(), after]
    return tuple(pairwise(bounds))


def slice_changes(
    answer: EventAnswer, source: EventSource, planned: Plan, span: tuple[int, int], before: Moment, now: Moment
) -> pa.Table:
    """The changes of the rows anchored in one slice, in the columns of event_difference.changes."""
    reach_before, reach_after = answer.reach
    events = source.read(span[0] - reach_before, span[1] - 1 + reach_after, planned.hashes)
    found = [event_difference.changes(answer, part, span, before, now) for part in _by_group(events)]
    together = pa.concat_tables(found)
    if len(found) > 1:
        event_difference.check_keys(answer, together, answer.anchor_topic(events))
    return together


def _by_group(events: Mapping[str, pa.Table]) -> Iterator[Mapping[str, pa.Table]]:
    """The events in parts of about SLICE_EVENTS, all of a group in the same one: that bounds the memory."""
    parts = max(1, -(-sum(map(len, events.values())) // SLICE_EVENTS))
    numbers = {topic: table[KEY_HASH].to_numpy().view(np.uint64) % parts for topic, table in events.items()}
    for part in range(parts):
        yield (
            {topic: table.filter(pa.array(numbers[topic] == part)) for topic, table in events.items()}
            if parts > 1
            else events
        )
