"""The ranking of a window's items is that of Python's own sort."""

import math
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs.answers.top import Top
from jobs.answers.windows import merging
from jobs.facts import aggregation
from jobs.facts.panes import Panes
from jobs.running.errors import Mistake
from tests.jobs.answers.anchor_tables import NEVER, micros, moment

TIME = pa.timestamp("us", tz="UTC")
HOUR = 3_600_000_000
ITEMS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "text": (pa.string(), ["a", "b", "B", "", "ä", None]),
    "whole": (pa.int32(), [1, 2, -3, 10, None]),
    "boolean": (pa.bool_(), [True, False, None]),
}
VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "count": (pa.int64(), [0, 1, 1, 2, 2**63 - 1, -(2**63), None]),
    "mean": (pa.float64(), [0.0, -0.0, 1.5, -2.0, math.inf, -math.inf, math.nan, None]),
    "sum": (pa.decimal128(30, 0), [Decimal(10**29), Decimal(-(10**29)), Decimal(7), None]),
}


@st.composite
def windows(draw: st.DrawFn) -> tuple[pa.Table, list[dict[str, Any]]]:
    """No two rows of a window and group."""
    (item, items), (value, values) = (draw(st.sampled_from([*kinds.values()])) for kinds in (ITEMS, VALUES))
    key = st.tuples(st.integers(0, 2), st.sampled_from(["x", "y", None]), st.sampled_from(items))
    keys = draw(st.lists(key, unique=True, max_size=30))
    rows = [
        {
            "window_kind": "1 hour",
            "window_start": moment(hour * HOUR),
            "window_end": moment((hour + 1) * HOUR),
            "origin": origin,
            "place": each,
            "departures": draw(st.sampled_from(values)),
        }
        for hour, origin, each in keys
    ]
    kinds = [("window_kind", pa.string()), ("window_start", TIME), ("window_end", TIME), ("origin", pa.string())]
    return pa.Table.from_pylist(rows, schema=pa.schema([*kinds, ("place", item), ("departures", value)])), rows


def rank_order(row: dict[str, Any]) -> tuple[Any, ...]:
    value, item = row["departures"], row["place"]
    is_nan = value != value
    largest_first = (not is_nan, 0 if is_nan else -value)
    return (*largest_first, item is None, item.encode() if isinstance(item, str) else item or 0)


def expected(rows: list[dict[str, Any]], n: int, complete: int) -> list[tuple[Any, ...]]:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        if row["departures"] is not None:
            groups.setdefault((row["window_start"], row["origin"]), []).append(row)
    return [
        (*key, row["window_end"], rank, row["place"], repr(row["departures"] + 0), row["window_end"], final)
        for key, group in groups.items()
        for rank, row in enumerate(sorted(group, key=rank_order)[:n], 1)
        for final in [micros(row["window_end"]) <= complete]
    ]


def in_order(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: (row[0], row[1] or "", row[3]))


@settings(max_examples=200, deadline=None)
@given(windows(), st.integers(1, 4), st.integers(-1, 1), st.integers(0, 2**32).map(random.Random))
def test_ranks_are_those_of_a_sort(made: Any, n: int, late: int, dice: random.Random) -> None:
    table, rows = made
    answer, complete = Top(n, "place", "departures", each=("origin",)), 2 * HOUR + late
    shuffled = table.take(pa.array(dice.sample(range(len(rows)), len(rows)), pa.int64()))
    ranked = answer.rows(shuffled, complete)
    columns = answer.columns(from_arrow_schema(table.schema))
    assert ranked.schema == to_arrow_schema(columns, timezone="UTC")
    found = [
        (
            *(row[name] for name in ("window_start", "origin", "window_end", "rank", "place")),
            repr(row["departures"] + 0),
            row["due_time"],
            row["final"],
        )
        for row in ranked.to_pylist()
    ]
    assert in_order(found) == in_order(expected(rows, n, complete))


def test_windows_of_several_lengths_that_begin_together_are_ranked_apart() -> None:
    rows = [
        {
            "window_kind": window,
            "window_start": moment(0),
            "window_end": moment(end * HOUR),
            "place": place,
            "records": count,
        }
        for window, end, count in (("1 hour", 1, 5), ("2 hours", 2, 9))
        for place in "ab"
    ]
    kinds = [("window_kind", pa.string()), ("window_start", TIME), ("window_end", TIME), ("place", pa.string())]
    table = pa.Table.from_pylist(rows, schema=pa.schema([*kinds, ("records", pa.int64())]))
    ranked = Top(1, "place", "records").rows(table, NEVER).to_pylist()
    assert sorted((row["window_kind"], row["place"], row["records"]) for row in ranked) == [
        ("1 hour", "a", 5),
        ("2 hours", "a", 9),
    ]


EVENTS = StructType(
    [
        StructField(name, kind)
        for name, kind in (("origin", StringType()), ("place", StringType()), ("delay", LongType()))
    ]
)


def kinds_of(panes: Panes) -> StructType:
    return merging.output(aggregation.output(EVENTS, panes), panes)


def test_windows_as_they_are_made_can_be_ranked() -> None:
    panes = Panes("1 hour", ("origin", "place"), count="departures", averages=("delay",))
    for by in ("departures", "delay_mean"):
        Top(3, "place", by, each=("origin",)).check(kinds_of(panes), panes.by)
    assert Top(3, "place", "departures", each=("origin",)).key == ("window_kind", "window_start", "origin", "place")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Top(3, "place", "departures"), "each and item are place, and the windows are grouped by origin, place"),
        (
            Top(3, "place", "delay_mean", each=("origin",)),
            "the windows have no column delay_mean; they have window_kind, window_st",
        ),
        (Top(3, "place", "last", each=("origin",)), "by is last, which is string: no number"),
        (Top(3, "place", "sum", each=("origin",), name="x"), "Top x: by is sum, which may have more than 38 digits"),
    ],
)
def test_windows_that_cannot_be_ranked_are_refused(answer: Top, message: str) -> None:
    panes = Panes("1 hour", ("origin", "place"), count="departures")
    more = [StructField("last", StringType()), StructField("sum", LongType()), StructField("sum_beyond", StringType())]
    with pytest.raises(Mistake, match=message):
        answer.check(StructType([*kinds_of(panes), *more]), panes.by)


def test_a_group_called_rank_is_refused() -> None:
    panes = Panes("1 hour", ("Rank",))
    with pytest.raises(Mistake, match="two columns of the table would be called rank"):
        Top(3, "Rank", "records").check(
            merging.output(aggregation.output(StructType([StructField("Rank", StringType())]), panes), panes), panes.by
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "n is 0"),
        ({"item": ""}, "item is ''"),
        ({"by": None}, "by is None"),
        ({"each": "origin"}, "no tuple of names"),
        ({"each": ("place",)}, "place: named twice"),
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any], message: str) -> None:
    right: dict[str, Any] = {"n": 3, "item": "place", "by": "records"}
    with pytest.raises(Mistake, match=message):
        Top(**(right | wrong))
