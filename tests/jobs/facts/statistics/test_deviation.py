"""Standard deviations are what fractions and DuckDB make of the same values, however these are cut."""

import math
import random
import statistics
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.types import ByteType, DataType, DecimalType, DoubleType, FloatType, IntegerType, LongType, StringType

from jobs.answers import contract
from jobs.answers.windows import Hopping, merging
from jobs.facts import aggregation
from jobs.facts.panes import Panes
from jobs.running.errors import Mistake
from tests.jobs.facts.cuts import columns, decimals, whole, windows

KEPT = Panes("10 minutes", ("g",), deviations=("v",))
DICE = random.Random(4)
NUMBERS: dict[str, tuple[DataType, st.SearchStrategy[Any]]] = {
    "8 bits": (ByteType(), whole(8)),
    "32 bits": (IntegerType(), whole(32)),
    "64 bits": (LongType(), whole(64)),
    "9 digits": (DecimalType(9, 2), decimals(9, 2)),
    "38 digits": (DecimalType(38, 0), decimals(38, 0)),
    "38 digits, 18 after the point": (DecimalType(38, 18), decimals(38, 18)),
    "38 digits after the point": (DecimalType(38, 38), decimals(38, 38)),
}


def deviation(values: list[Any]) -> float | None:
    """Of a sample, by fractions: rounded once for the variance, and once for its root."""
    if len(values) < 2:
        return None
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    return math.sqrt(sum((value - mean) ** 2 for value in exact) / (len(exact) - 1))


@pytest.mark.parametrize("kind", NUMBERS)
@settings(max_examples=20)
@given(data=st.data())
def test_whole_numbers_and_decimals_are_exact_however_they_are_cut(kind: str, data: st.DataObject) -> None:
    type_, some = NUMBERS[kind]
    rows = data.draw(st.lists(st.tuples(st.integers(0, 3599), st.sampled_from("ab"), st.none() | some), min_size=1))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    for row in windows(rows, cuts, columns(type_), KEPT):
        due = deviation([value for _, group, value in rows if group == row["g"] and value is not None])
        assert row["v_stddev"] == (due and pytest.approx(due, rel=3e-16)), row


DOUBLES: dict[str, list[float]] = {
    "around zero": [DICE.gauss(0, 1) for _ in range(3_000)],
    "around a billion": [1e9 + DICE.gauss(0, 1) for _ in range(3_000)],
    "around a billion, close": [1e9 + DICE.gauss(0, 1e-3) for _ in range(3_000)],
    "a rising line": [1e12 + n / 8 for n in range(3_000)],
    "one far away": [*([0.1] * 2_000), 1e9],
    "very large": [1e153 * DICE.random() for _ in range(1_000)],
    "very small": [1e-150 * DICE.random() for _ in range(1_000)],
    "all the same": [0.1] * 1_000,
}


@pytest.mark.parametrize("name", DOUBLES)
@pytest.mark.parametrize("cuts", [0, 1, 40, 2_999])
def test_doubles_are_right_within_the_bound_that_is_told(name: str, cuts: int) -> None:
    values = DOUBLES[name]
    rows = [(n * 3600 // len(values), "a", value) for n, value in enumerate(values)]
    ends = sorted(DICE.sample(range(1, len(rows)), min(cuts, len(rows) - 1)))
    if cuts == 2_999:
        rows = rows[:300]  # each value in a pane of its own
        ends = list(range(1, 300))
    due = deviation([row[2] for row in rows])
    [row] = windows(rows, ends, columns(DoubleType()), KEPT)
    assert due is not None
    assert row["v_stddev"] == (pytest.approx(due, rel=len(rows) * 1e-15) if due else 0)


def test_windows_that_overlap() -> None:
    rows: list[tuple[int, str, float | None]]
    rows = [(DICE.randrange(3600), "ab"[n % 2], 1e9 + DICE.random()) for n in range(200)]
    rows[:40] = [(second % 600, group, None) for second, group, _ in rows[:40]]
    found = windows(rows, [50, 120], columns(DoubleType()), KEPT, (Hopping("30 minutes", "10 minutes"),))
    assert len(found) == 16
    for row in found:
        first = (row["window_start"].hour - 23) * 3600 + row["window_start"].minute * 60
        mine = [v for s, group, v in rows if group == row["g"] and first <= s < first + 1800 and v is not None]
        due = deviation(mine)
        assert row["v_stddev"] == (due and pytest.approx(due, rel=1e-13)), row


def test_deviations_are_those_of_duckdb_and_of_the_standard_library() -> None:
    rows = [(n * 37 % 3600, "ab"[n % 2], None if n % 5 == 0 else DICE.randrange(-1_000, 1_000)) for n in range(500)]
    events = pa.table({"g": [row[1] for row in rows], "v": pa.array([row[2] for row in rows], pa.int32())})
    assert events.num_rows == 500
    due = dict(duckdb.execute("select g, stddev_samp(v) from events group by g").fetchall())
    found = {row["g"]: row["v_stddev"] for row in windows(rows, [7, 300], columns(IntegerType()), KEPT)}
    assert found == {group: pytest.approx(value, rel=1e-12) for group, value in due.items()}
    mine = [row[2] for row in rows if row[1] == "a" and row[2] is not None]
    assert found["a"] == pytest.approx(statistics.stdev(mine), rel=3e-16)


def test_nothing_one_value_zeros_and_what_is_no_number() -> None:
    def of(*values: float | None, kind: DataType | None = None) -> float | None:
        rows = [(n, "a", value) for n, value in enumerate(values)]
        [row] = windows(rows, [1], columns(kind or DoubleType()), KEPT)
        found: float | None = row["v_stddev"]
        return found

    inf, nan = float("inf"), float("nan")
    assert of(None) is of(None, None) is of(5.0) is of(5.0, None) is of(None, inf) is None
    assert of(5, None, kind=LongType()) is of(None, kind=DecimalType(38, 38)) is None
    assert str(of(-0.0, 0.0)) == str(of(0.0, None, -0.0)) == "0.0"
    assert of(None, 0.1, 0.1, 0.1) == 0
    for values in ((inf, 1.0), (1.0, inf), (inf, inf), (nan, 1.0), (1.0, 2.0, -inf), (nan, None, 1.0)):
        assert math.isnan(of(*values) or 0), values
    assert of(1e200, -1e200) == of(1.7e308, 1.0, -1.7e308) == inf
    assert of(1.5, 2.5, kind=FloatType()) == pytest.approx(math.sqrt(0.5), rel=1e-15)


def test_squares_of_more_digits_than_any_type_has_are_kept() -> None:
    nines = Decimal(10**38 - 1)
    kinds = columns(DecimalType(38, 0))
    [row] = windows([(0, "a", nines), (1, "a", nines), (2, "a", Decimal(10**38 - 3))], [1], kinds, KEPT)
    assert row["v_stddev"] == pytest.approx(math.sqrt(4 / 3), rel=3e-16)
    assert aggregation.output(kinds, KEPT).names[3:] == ["v_count", "v_sum", "v_sum_beyond", "v_stddev_squares"]
    assert merging.output(aggregation.output(kinds, KEPT), KEPT).names[4:-2] == ["records", "v_stddev"]


def test_columns_of_no_number_and_names_that_are_taken_are_refused() -> None:
    [fault] = [kept.fault(StringType()) for kept in KEPT.statistics if kept.column]
    assert fault and fault.startswith("deviations has v, which is string: no number.")
    taken = Panes("1 hour", ("v_stddev_pivot",), deviations=("v",))
    contract.check_panes("r_v1", taken)
    with pytest.raises(Mistake, match="two columns v_stddev_pivot"):
        contract.check_panes("r_v1", taken, columns(DoubleType()).add("v_stddev_pivot", StringType()))
    with pytest.raises(Mistake, match="two columns v_stddev_count"):
        contract.check_panes("r_v1", Panes("1 hour", averages=("v_stddev",), by=("v_stddev_count",)))
