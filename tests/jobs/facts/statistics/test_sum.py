"""Sums are what plain Python and DuckDB make of the same values, however these are cut."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.types import (
    ByteType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
)

from jobs.answers.windows import Hopping, Tumbling, merging
from jobs.facts import aggregation
from jobs.facts.panes import Panes
from jobs.running.errors import Mistake
from tests.jobs.facts.cuts import HOUR, columns, decimals, whole, windows

KEPT = Panes("10 minutes", ("g",), sums=("v",))
NUMBERS: dict[str, tuple[DataType, st.SearchStrategy[Any], DataType]] = {
    "8 bits": (ByteType(), whole(8), LongType()),
    "32 bits": (IntegerType(), whole(32), LongType()),
    "64 bits": (LongType(), whole(64), DecimalType(30, 0)),
    "9 digits": (DecimalType(9, 2), decimals(9, 2), DecimalType(19, 2)),
    "28 digits": (DecimalType(28, 28), decimals(28, 28), DecimalType(38, 28)),
    "29 digits": (DecimalType(29, 5), decimals(29, 5), DecimalType(38, 5)),
    "38 digits": (DecimalType(38, 18), decimals(38, 18), DecimalType(38, 18)),
    "38 digits after the point": (DecimalType(38, 38), decimals(38, 38), DecimalType(38, 38)),
}
seconds = st.integers(0, 3599)


@pytest.mark.parametrize("kind", NUMBERS)
@settings(max_examples=20)
@given(data=st.data())
def test_sums_are_exact_however_the_values_are_cut(kind: str, data: st.DataObject) -> None:
    type_, values, of_sum = NUMBERS[kind]
    rows = data.draw(st.lists(st.tuples(seconds, st.sampled_from("ab"), st.none() | values), min_size=1))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    for row in windows(rows, cuts, columns(type_), KEPT, (Tumbling("1 hour"), Hopping("30 minutes", "10 minutes"))):
        start, end = ((row[name] - HOUR).total_seconds() for name in ("window_start", "window_end"))
        mine = [(second, value) for second, group, value in rows if group == row["g"] and value is not None]
        inside = [value for second, value in mine if start <= second < end]
        exact = sum(map(Fraction, inside)) if inside else None
        beyond = exact is not None and isinstance(of_sum, DecimalType) and abs(exact) * 10**of_sum.scale >= 10**38
        assert row["v_sum"] == (None if beyond else exact), row
        text = row.get("v_sum_beyond")
        assert (text and Fraction(text)) == (exact if beyond else None), row


def test_a_sum_has_the_type_that_holds_it_and_text_beside_it_where_none_does() -> None:
    for type_, _, of_sum in NUMBERS.values():
        panes = aggregation.output(columns(type_), KEPT)
        published = merging.output(panes, KEPT)
        assert published["v_sum"].dataType == of_sum
        long = isinstance(type_, DecimalType) and type_.precision > 28
        assert published.names[5:-2] == (["v_sum", "v_sum_beyond"] if long else ["v_sum"])
    assert merging.output(aggregation.output(columns(FloatType()), KEPT), KEPT)["v_sum"].dataType == DoubleType()


def test_whole_numbers_are_summed_up_as_by_duckdb() -> None:
    rows = [
        (n * 37 % 3600, "ab"[n % 2], None if n % 5 == 0 else (n * 2_654_435_761) % 2**63 - 2**62) for n in range(500)
    ]
    found = {row["g"]: row["v_sum"] for row in windows(rows, [7, 300], columns(LongType()), KEPT)}
    events = pa.table({"g": [row[1] for row in rows], "v": pa.array([row[2] for row in rows], pa.int64())})
    assert events.num_rows == 500
    assert found == dict(duckdb.execute("select g, sum(v) from events group by g").fetchall())


def test_doubles_nulls_and_zeros() -> None:
    def summed(*values: float | None) -> float | None:
        [row] = windows([(n, "a", value) for n, value in enumerate(values)], [1], columns(DoubleType()), KEPT)
        found: float | None = row["v_sum"]
        return found

    assert summed(None, None) is None
    assert str(summed(-0.0, -0.0)) == "0.0"
    assert summed(0.1, None, 0.2) == pytest.approx(0.3, rel=1e-15)
    assert summed(1e308, 1e308) == float("inf")
    assert str(summed(1.0, float("nan"))) == "nan"


def test_a_column_may_be_summed_up_averaged_and_counted_and_its_sum_is_kept_once() -> None:
    kept = Panes("10 minutes", ("g",), averages=("v",), sums=("v",), deviations=("v",), uniques=("v",))
    names = aggregation.output(columns(LongType()), kept).names
    assert names == ["pane_start", "g", "records", "v_count", "v_sum", "v_min", "v_max", "v_sketch", "v_stddev_squares"]
    [row] = windows([(0, "a", 2), (1, "a", 4), (2, "a", 4), (3, "a", None)], [2], columns(LongType()), kept)
    assert (row["v_sum"], row["v_mean"], row["v_estimate"]) == (Decimal(10), pytest.approx(10 / 3), 2)
    assert row["v_stddev"] == pytest.approx((4 / 3) ** 0.5)


def test_what_cannot_be_summed_up_is_refused() -> None:
    with pytest.raises(Mistake, match="v: named twice in Panes"):
        Panes("1 hour", sums=("v", "v"))
    with pytest.raises(Mistake, match="v: named twice in Panes"):
        Panes("1 hour", ("v",), deviations=("v",))
    [fault] = [kept.fault(StringType()) for kept in KEPT.statistics if kept.column]
    assert fault and fault.startswith("sums has v, which is string: no number. Make a number of it in the transform")
