"""Each event's row is what plain Python finds in the time before it."""

import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.types import (
    ArrayType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers import sliding
from jobs.answers.sliding import Sliding
from jobs.running.errors import Mistake
from tests.jobs.answers.anchor_tables import NEVER, Event, answer_rows, check_laws, moment, placed

KINDS = pa.schema(
    [
        ("account", pa.string()),
        ("part", pa.float64()),
        ("small", pa.int32()),
        ("large", pa.int64()),
        ("price", pa.decimal128(38, 2)),
        ("share", pa.float64()),
        ("address", pa.string()),
    ]
)
BURSTS = Sliding(
    ("account", "part"),
    "2 seconds",
    averages=("small", "share", "large"),
    sums=("small", "large", "price"),
    uniques=("address", "share"),
    least=2,
)
NUMBERS = ("small", "large", "price", "share")
LARGEST = 10**38 - 1
EXACTLY = Context(prec=100)


def hundredths(units: int) -> Decimal:
    return Decimal(units).scaleb(-2, EXACTLY)


def total(values: list[Any]) -> Decimal:
    """Exact."""
    result = Decimal(0)
    for value in values:
        result = EXACTLY.add(result, Decimal(value))
    return result


def event() -> st.SearchStrategy[Event]:
    prices = st.sampled_from([LARGEST, -LARGEST, 1, -7]).map(hundredths)
    return st.fixed_dictionaries(
        {
            "event_time": st.integers(-8, 12).map(lambda half: moment(half * 500_000 + (half % 3 == 0))),
            "record_partition": st.integers(0, 2),
            "account": st.sampled_from(["a", "a", "b", None]),
            "part": st.sampled_from([0.0, -0.0, float("nan"), 0.0, None]),
            "small": st.sampled_from([2**31 - 1, -(2**31), 3, None]),
            "large": st.sampled_from([2**63 - 1, -(2**63), 5, None]),
            "price": st.none() | prices,
            "share": st.sampled_from([1.5, 0.1, -0.0, 0.0, float("nan"), math.inf, -math.inf, None, 1e300]),
            "address": st.sampled_from(["x", "y", "z", "", None]),
        }
    )


def same(one: Any, other: Any) -> bool:
    return one == other or (one is not None and other is not None and math.isnan(one) and math.isnan(other))


def plain(value: Any) -> Any:
    """NaN equals NaN in a set."""
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def group_of(event: Event) -> tuple[Any, ...] | None:
    group = (event["account"], plain(event["part"]))
    return None if None in group else group


def span(event: Event, events: list[Event]) -> list[Event]:
    """The events that a row of `event` is about, in canonical order."""
    start, end = event["event_time"] - timedelta(seconds=2), event["event_time"]
    own = [e for e in events if start <= e["event_time"] <= end and group_of(e) == group_of(event)]
    own = [event] if group_of(event) is None else own
    return sorted(own, key=lambda e: (e["event_time"], e["record_partition"], e["record_offset"]))


def largest_last(value: float) -> tuple[bool, float]:
    """NaN is larger than any number."""
    return (math.isnan(value), value)


def expected(event: Event, events: list[Event]) -> Event:
    held = span(event, events)
    values = {name: [e[name] for e in held if e[name] is not None] for name in (*NUMBERS, "address")}
    row: Event = {"events": len(held), "due_time": event["event_time"] + timedelta(microseconds=1)}
    for name in ("small", "large", "price"):
        row[f"{name}_sum"] = total(values[name]) if values[name] else None
    price = row["price_sum"]
    row["price_sum_beyond"] = None if price is None or price.copy_abs() <= hundredths(LARGEST) else f"{price:f}"
    row["price_sum"] = price if row["price_sum_beyond"] is None else None
    for name in ("small", "large", "share"):
        row[f"{name}_mean"] = float(sum(values[name])) / len(values[name]) if values[name] else None
        for end, choose in (("min", min), ("max", max)):
            row[f"{name}_{end}"] = choose(values[name], key=largest_last) if values[name] else None
    for name in ("share", "address"):
        row[f"{name}_unique"] = len({plain(value) for value in values[name]})
    return row | {"crowded": False, "final": False, "__shown": False}


@settings(max_examples=150, deadline=None)
@given(st.lists(event(), max_size=25).map(placed))
def test_rows_are_those_of_plain_python(events: list[Event]) -> None:
    rows = {(r["record_partition"], r["record_offset"]): r for r in answer_rows(BURSTS, KINDS)(events, NEVER)}
    kept = [e for e in events if len(span(e, events)) >= 2]
    assert rows.keys() == {(e["record_partition"], e["record_offset"]) for e in kept}
    for each in kept:
        row, wanted = rows[each["record_partition"], each["record_offset"]], expected(each, events)
        for name, value in wanted.items():
            near = name.endswith("_mean") and value is not None and math.isfinite(value)
            tolerance = 1e-9 * sum(abs(e["share"] or 0) for e in span(each, events)) if name == "share_mean" else 0
            equal = math.isclose(row[name], value, rel_tol=1e-15, abs_tol=tolerance) if near else same(row[name], value)
            assert equal, (name, row[name], value)
        assert (row["account"], row["event_time"]) == (each["account"], each["event_time"])
        assert same(row["part"], each["part"])


FINITE = Sliding(("account",), "2 seconds", averages=("share",), sums=("large",), uniques=("address",), least=1)


def finite_event() -> st.SearchStrategy[Event]:
    return event().map(lambda each: each | {"part": 0.0, "share": each["share"] and (each["large"] or 3) / 7})


@settings(max_examples=150, deadline=None)
@given(st.lists(finite_event(), max_size=25).map(placed), st.integers(0, 2**32).map(random.Random))
def test_order_reach_and_time_keep_their_laws(events: list[Event], dice: random.Random) -> None:
    """To the last bit of a mean."""
    check_laws(answer_rows(FINITE, KINDS), events, FINITE.reach, dice)


def second(number: float, **more: Any) -> Event:
    return {"event_time": moment(int(number * 1_000_000)), "record_partition": 0, "account": "a"} | more


def test_both_ends_of_the_span_count() -> None:
    events = placed([second(0), second(2), second(2), second(4.000001)])
    rows = answer_rows(Sliding(("account",), "2 seconds", count="logins"), KINDS)(events, NEVER)
    assert [row["logins"] for row in rows] == [1, 3, 3, 1]


def test_a_row_is_final_once_complete_time_has_passed_its_event_and_early_ones_are_shown_before() -> None:
    events = placed([second(1), second(2)])
    rows = answer_rows(Sliding(("account",), "1 second"), KINDS)
    assert [row["final"] for row in rows(events, 1_000_000)] == [False, False]
    assert [row["__shown"] for row in rows(events, 1_000_001)] == [True, False]
    early = answer_rows(Sliding(("account",), "1 second", early=True), KINDS)
    assert [row["__shown"] for row in early(events, NEVER)] == [True, True]


def test_distinct_values_of_a_crowded_span_are_not_counted() -> None:
    many = sliding.CROWDED
    events = placed([second(number / 10_000, address=str(number % 7)) for number in range(many + 1)])
    rows = answer_rows(Sliding(("account",), "1 hour", uniques=("address",), least=many), KINDS)(events, NEVER)
    assert [(row["events"], row["address_unique"], row["crowded"]) for row in rows] == [
        (many, 7, False),
        (many + 1, None, True),
    ]


def test_no_group_at_all_is_one_group() -> None:
    events = placed([second(1), second(2, account=None)])
    assert [row["events"] for row in answer_rows(Sliding((), "1 second"), KINDS)(events, NEVER)] == [1, 2]


PLACES = [
    StructField("event_time", TimestampType()),
    StructField("record_partition", IntegerType()),
    StructField("record_offset", LongType()),
]
GIVEN = StructType(
    [
        *PLACES,
        StructField("account", StringType()),
        StructField("tags", ArrayType(StringType())),
        StructField("amount", DoubleType()),
        StructField("wide", DecimalType(38, 2)),
    ]
)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            Sliding(("user",), "1 hour"),
            "does not return user; it returns event_time, record_partition, record_offset, acc",
        ),
        (Sliding(("tags",), "1 hour"), "by has tags, which is array<string>"),
        (Sliding(("account",), "1 hour", uniques=("tags",)), "uniques has tags, which is array<string>"),
        (Sliding(("account",), "1 hour", sums=("account",)), "sums has account, which is string: no number"),
        (Sliding(("account",), "1 hour", averages=("account",), name="x"), "Sliding x: averages has account"),
        (Sliding(("account",), "1 hour", count="Account"), "two columns of the table would be called account"),
    ],
)
def test_what_cannot_be_computed_is_refused(answer: Sliding, message: str) -> None:
    with pytest.raises(Mistake, match=message) as error:
        answer.check({"topic": GIVEN})
    assert "\n" not in str(error.value)


def test_two_topics_are_refused_and_one_is_taken() -> None:
    answer = Sliding(("account",), "1 hour", averages=("amount",), sums=("wide",), uniques=("amount",))
    answer.check({"topic": GIVEN})
    assert answer.columns({"topic": GIVEN})["wide_sum_beyond"].dataType == StringType()
    with pytest.raises(Mistake, match="is of one topic, and the result reads 2: one, two"):
        answer.check({"one": GIVEN, "two": GIVEN})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"by": "account"}, "no tuple of names"),
        ({"by": ("account", "account")}, "account: named twice"),
        ({"size": "1 month"}, "no fixed length"),
        ({"least": 0}, "least is 0"),
        ({"sums": ("amount", "amount")}, "amount: named twice"),
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(Mistake, match=message):
        Sliding(**({"by": ("account",), "size": "1 hour"} | wrong))


def test_times_far_apart_do_not_overflow() -> None:
    """With so many groups, time and group do not fit into one number."""
    far = [{"event_time": datetime(year, 1, 1, tzinfo=UTC), "record_partition": 0} for year in (9998, 1, 9990)]
    events = placed([event | {"account": str(account)} for event in far for account in range(40)])
    rows = answer_rows(Sliding(("account",), "100000 days"), KINDS)(events, NEVER)
    assert [row["events"] for row in rows] == [2] * 40 + [1] * 80
