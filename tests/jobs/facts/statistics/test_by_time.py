"""First and last values are those of plain Python and DuckDB, however the events are cut."""

import math
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    LongType,
    StringType,
    TimestampType,
)

from jobs.answers import contract
from jobs.answers.windows import Hopping, Tumbling, merging
from jobs.facts import aggregation
from jobs.facts.panes import Panes
from jobs.running.errors import Mistake
from tests.jobs.facts.cuts import HOUR, columns, decimals, whole, windows

KEPT = Panes("10 minutes", ("g",), firsts=("v",), lasts=("v",))
WINDOWS = (Tumbling("1 hour"), Hopping("30 minutes", "10 minutes"))
moments = st.datetimes(datetime(1970, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))
KINDS: dict[str, tuple[DataType, st.SearchStrategy[Any]]] = {
    "text": (StringType(), st.text(alphabet="ab\u00e9\uffff\U0001f600", max_size=2)),
    "bytes": (BinaryType(), st.binary(max_size=2)),
    "true or false": (BooleanType(), st.booleans()),
    "8 bits": (ByteType(), whole(8)),
    "64 bits": (LongType(), whole(64)),
    "float": (FloatType(), st.floats(width=32)),
    "double": (DoubleType(), st.floats()),
    "9 digits": (DecimalType(9, 2), decimals(9, 2)),
    "38 digits": (DecimalType(38, 18), decimals(38, 18)),
    "date": (DateType(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "time": (TimestampType(), moments),
}


def order(value: Any) -> Any:
    """Bytes of UTF-8 for texts; NaN is the largest number."""
    if isinstance(value, str):
        return value.encode()
    return (1, 0) if isinstance(value, float) and math.isnan(value) else (0, value)


def alike(found: Any, due: Any) -> bool:
    if isinstance(due, float) and math.isnan(due):
        return isinstance(found, float) and math.isnan(found)
    return bool(found == due) and str(found) == str(due + 0 if isinstance(due, float) else due)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(data=st.data())
def test_they_are_those_of_plain_python_however_the_events_are_cut(kind: str, data: st.DataObject) -> None:
    type_, some = KINDS[kind]
    seconds = st.integers(0, 3599) | st.sampled_from([0, 600, 601])  # often the same
    rows = data.draw(st.lists(st.tuples(seconds, st.sampled_from("ab"), st.none() | some), min_size=1))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    for row in windows(rows, cuts, columns(type_), KEPT, WINDOWS):
        start, end = ((row[name] - HOUR).total_seconds() for name in ("window_start", "window_end"))
        inside = [(second, value) for second, group, value in rows if group == row["g"] and start <= second < end]
        present = [(second, order(value), value) for second, value in inside if value is not None]
        if not present:
            assert row["v_first"] is row["v_last"] is None
            continue
        assert alike(row["v_first"], min(present, key=lambda one: one[:2])[2]), row
        assert alike(row["v_last"], max(present, key=lambda one: one[:2])[2]), row


def test_they_are_those_of_duckdb() -> None:
    dice = random.Random(8)
    seconds = dice.sample(range(3600), 900)  # all different: DuckDB takes any of several
    rows = [(second, dice.choice("abc"), dice.choice([None, dice.random()])) for second in seconds]
    events = pa.table({"t": seconds, "g": [row[1] for row in rows], "v": pa.array([row[2] for row in rows])})
    assert events.num_rows == 900
    due = duckdb.execute("select g, arg_min(v, t), arg_max(v, t) from events where v is not null group by g").fetchall()
    found = [
        (row["g"], row["v_first"], row["v_last"]) for row in windows(rows, [100, 101, 640], columns(DoubleType()), KEPT)
    ]
    assert sorted(found) == sorted(due) and len(found) == 3


def test_of_values_at_the_same_time_the_smallest_is_first_and_the_largest_last() -> None:
    def of(*values: Any, kind: DataType) -> tuple[Any, Any]:
        found = {}
        for cuts in ([], [1], list(range(1, len(values)))):
            [row] = windows([(7, "a", value) for value in values], cuts, columns(kind), KEPT)
            both = row["v_first"], row["v_last"]
            found[repr(both)] = both
        [one] = found.values()
        return one

    assert of("b", "a", None, "c", kind=StringType()) == ("a", "c")
    assert of(True, False, None, kind=BooleanType()) == (False, True)
    assert of(Decimal("2.50"), Decimal("-3.10"), kind=DecimalType(9, 2)) == (Decimal("-3.10"), Decimal("2.50"))
    first, last = of(math.inf, math.nan, kind=DoubleType())
    assert first == math.inf and math.isnan(last)
    assert of(None, None, kind=DateType()) == (None, None)


def test_microseconds_and_the_edges_of_panes_count() -> None:
    schema = to_arrow_schema(columns(StringType()), timezone="UTC")
    micro = timedelta(microseconds=1)
    times = [HOUR + 2 * micro, HOUR + micro, HOUR + timedelta(hours=1) - micro, HOUR + timedelta(hours=1) - 2 * micro]
    events = pa.table([times, ["a"] * 4, ["second", "first", "last", "before"]], names=schema.names).cast(schema)
    target = to_arrow_schema(aggregation.output(columns(StringType()), KEPT), timezone="UTC")
    [batch] = aggregation._partials(events, KEPT, target)
    rows = batch.to_pylist()
    assert [(row["v_first"], row["v_last"]) for row in rows] == [("first", "second"), ("before", "last")]
    assert [row["v_last_time"] for row in rows] == [times[0], times[2]]
    assert [row["v_first_time"] for row in rows] == [times[1], times[3]]


def test_columns_of_panes_and_windows() -> None:
    kinds = columns(DecimalType(9, 2))
    both = Panes("10 minutes", ("g",), averages=("v",), firsts=("v", "g"), lasts=("v",))
    panes = aggregation.output(kinds, both)
    assert panes.names[7:] == ["v_first", "v_first_time", "g_first", "g_first_time", "v_last", "v_last_time"]
    published = merging.output(panes, both)
    assert published.names[8:-2] == ["v_first", "g_first", "v_last"]
    assert [published[name].dataType for name in ("v_first", "g_first", "v_last")] == [
        DecimalType(9, 2),
        StringType(),
        DecimalType(9, 2),
    ]


def test_many_events_are_not_gone_over_one_by_one() -> None:
    """A value for each pane and group, out of 300,000 events at whole seconds, against numpy."""
    dice = np.random.default_rng(6)
    seconds, values = dice.integers(0, 3600, 300_000), dice.integers(-1_000, 1_000, 300_000)
    schema = to_arrow_schema(columns(LongType()), timezone="UTC")
    times = pa.array(int(HOUR.timestamp()) * 1_000_000 + seconds * 1_000_000, pa.timestamp("us", "UTC"))
    events = pa.table([times, pa.array(["a"] * 300_000), values], schema=schema)
    target = to_arrow_schema(aggregation.output(columns(LongType()), KEPT), timezone="UTC")
    [batch] = aggregation._partials(events, KEPT, target)
    for number, row in enumerate(sorted(batch.to_pylist(), key=lambda row: row["pane_start"])):
        mine = seconds // 600 == number
        first, last = seconds[mine].min(), seconds[mine].max()
        assert row["v_first"] == values[mine & (seconds == first)].min()
        assert row["v_last"] == values[mine & (seconds == last)].max()


def test_what_has_no_order_and_names_that_are_taken_are_refused() -> None:
    faults = [kept.fault(ArrayType(StringType())) for kept in KEPT.statistics if kept.column]
    assert [fault and fault.split(".")[0] for fault in faults] == [
        "firsts has v, which is array<string>: its values have no order",
        "lasts has v, which is array<string>: its values have no order",
    ]
    for wrong in ({"firsts": ("v", "v")}, {"lasts": ("v", "v")}):
        with pytest.raises(Mistake, match="v: named twice in Panes"):
            Panes("1 hour", **wrong)  # type: ignore[arg-type]
    with pytest.raises(Mistake, match="two columns v_last"):
        contract.check_panes("r_v1", Panes("1 hour", ("v_last",), lasts=("v",)))
