"""Canonical order of events by group, and what lies around each, against sorting and counting in plain Python."""

from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.answers.event_rows import order

FAR = 2**61
"""Times so far apart that a group and a time do not fit into 64 bits together."""
TIMES = st.one_of(st.integers(0, 4), st.sampled_from([-FAR, -FAR + 1, FAR]))
EVENTS = st.lists(st.tuples(st.integers(0, 3), TIMES, st.integers(0, 1), st.integers(0, 2), st.integers(0, 50)))
"""Group, time, and three numbers by which events of the same time are ordered."""


def timeline(events: list[tuple[int, ...]]) -> order.Timeline:
    groups, times, *ties = (np.array([event[field] for event in events], np.int64) for field in range(5))
    return order.timeline(groups, times, ties)


@given(EVENTS)
def test_events_are_sorted_by_group_time_and_ties(events: list[tuple[int, ...]]) -> None:
    made = timeline(events)
    assert [events[row] for row in made.order] == sorted(events)
    assert sorted(made.order) == list(range(len(events)))
    assert list(zip(made.groups, made.times, strict=True)) == [event[:2] for event in sorted(events)]
    assert len(made) == len(events)


@given(EVENTS, st.lists(TIMES, min_size=1))
def test_the_first_event_of_a_group_at_or_after_an_instant(events: list[tuple[int, ...]], instants: list[int]) -> None:
    made, ordered = timeline(events), sorted(events)
    for position, (group, *_) in enumerate(ordered):
        found = made.first_at(np.full(len(instants), position), np.array(instants))
        assert list(found) == [sum(event[:2] < (group, instant) for event in ordered) for instant in instants]


@given(EVENTS, st.integers(0, 4))
def test_whether_an_event_is_of_the_group_and_in_time(events: list[tuple[int, ...]], limit: int) -> None:
    made, ordered = timeline(events), sorted(events)
    others = np.arange(len(events) + 1)
    for position, (group, *_) in enumerate(ordered):
        found = made.is_within(np.full(len(others), position), others, np.full(len(others), limit))
        assert list(found) == [event[0] == group and event[1] <= limit for event in ordered] + [False]


def test_nothing_is_within_a_timeline_without_events() -> None:
    none = np.zeros(0, np.int64)
    assert len(timeline([]).is_within(none, none, none)) == len(timeline([]).first_at(none, none)) == 0


@given(st.lists(st.booleans()))
def test_next_last_and_number_of_events_of_a_kind(such: list[bool]) -> None:
    places = [place for place, is_such in enumerate(such) if is_such]
    everywhere = range(len(such) + 1)
    flags = np.array(such, bool)
    assert list(order.next_positions(flags)) == [
        min((p for p in places if p >= position), default=len(such)) for position in everywhere
    ]
    assert list(order.last_positions(flags)) == [
        max((p for p in places if p < position), default=-1) for position in everywhere
    ]
    assert list(order.running_counts(flags)) == [sum(p < position for p in places) for position in everywhere]


ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.sampled_from([0.0, -0.0, 1.5, float("nan"), None])))


@given(st.lists(ROWS, min_size=1, max_size=3))
def test_rows_of_several_tables_have_the_number_of_their_group(parts: list[list[tuple[Any, ...]]]) -> None:
    kinds = pa.schema([("user", pa.string()), ("site", pa.float64())])
    tables = [
        pa.table({name: [row[place] for row in rows] for place, name in enumerate(kinds.names)}, kinds)
        for rows in parts
    ]
    rows = [row for part in parts for row in part]
    codes = order.group_codes(tables, ("user", "site"))
    assert len(codes) == len(rows)
    assert all(0 <= code < 2 * max(1, len(rows)) for code in codes)
    for one, other in combinations(range(len(rows)), 2):
        is_mate = None not in rows[one] and group(rows[one]) == group(rows[other])
        assert (codes[one] == codes[other]) == is_mate


def group(row: tuple[Any, ...]) -> list[str]:
    """Equal for rows of one group: the zeros are one number, and so is NaN."""
    return [repr(value + 0.0 if isinstance(value, float) else value) for value in row]


@pytest.mark.parametrize("by", [(), ("user",)])
def test_no_columns_are_one_group_and_no_rows_are_none(by: tuple[str, ...]) -> None:
    table = pa.table({"user": ["a", "a"]})
    assert list(order.group_codes([table, table.slice(0, 1)], by)) == [0, 0, 0]
    assert list(order.group_codes([table.slice(0, 0)], by)) == []
