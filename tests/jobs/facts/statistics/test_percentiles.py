"""Percentiles are those of DuckDB and of sorted values within 1 %, with equal histograms however the values are cut."""

import ast
import math
import random
from dataclasses import FrozenInstanceError, fields, replace
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import ByteType, DataType, DecimalType, DoubleType, FloatType, IntegerType, LongType, StringType

from jobs.answers import contract
from jobs.answers.windows import Hopping, Tumbling, merging
from jobs.facts import aggregation, pane_table
from jobs.facts.panes import Panes
from jobs.running.errors import Mistake
from tests.jobs.facts.cuts import HOUR, batches, columns, decimals, whole, windows

SHARES = (0.5, 0.07, 0.95, 0.999)
NAMES = {0.5: "v_p50", 0.07: "v_p7", 0.95: "v_p95", 0.999: "v_p99_9"}
KEPT = Panes("10 minutes", ("g",), percentiles={"v": SHARES})
WINDOWS = (Tumbling("1 hour"), Hopping("30 minutes", "10 minutes"))
NUMBERS: dict[str, tuple[DataType, st.SearchStrategy[Any]]] = {
    "8 bits": (ByteType(), whole(8)),
    "64 bits": (LongType(), whole(64)),
    "float": (FloatType(), st.floats(allow_nan=False, allow_infinity=False, width=32)),
    "double": (DoubleType(), st.floats(allow_nan=False, allow_infinity=False)),
    "9 digits": (DecimalType(9, 2), decimals(9, 2)),
    "38 digits after the point": (DecimalType(38, 38), decimals(38, 38)),
}


def percentile(values: list[Any], share: float) -> Any:
    """The first value, in order, up to which there are `share` of all."""
    exact = Decimal(str(share))
    return next(value for place, value in enumerate(sorted(values), 1) if place >= exact * len(values))


@pytest.mark.parametrize("kind", NUMBERS)
@settings(max_examples=20)
@given(data=st.data())
def test_they_are_within_a_hundredth_however_the_values_are_cut(kind: str, data: st.DataObject) -> None:
    type_, some = NUMBERS[kind]
    rows = data.draw(st.lists(st.tuples(st.integers(0, 3599), st.sampled_from("ab"), st.none() | some), min_size=1))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    for row in windows(rows, cuts, columns(type_), KEPT, WINDOWS):
        start, end = ((row[name] - HOUR).total_seconds() for name in ("window_start", "window_end"))
        mine = [value for second, group, value in rows if group == row["g"] and start <= second < end]
        present = [float(value) for value in mine if value is not None]
        for share in SHARES:
            found = row[NAMES[share]]
            if not present:
                assert found is None
                continue
            due = percentile(present, share)
            assert abs(found - due) <= max(0.01 * abs(due), 1e-300), row


def histograms(rows: list[tuple[int, str, float | None]], cuts: list[int]) -> dict[tuple[Any, str], bytes | None]:
    kinds = columns(DoubleType())
    target = to_arrow_schema(aggregation.output(kinds, KEPT), timezone="UTC")
    parts = [batches(rows[a:b], kinds) for a, b in zip([0, *cuts], [*cuts, len(rows)], strict=True)]
    panes = [
        batch
        for part in parts
        for batch in aggregation._partials_of_batches(iter(part.to_batches()), KEPT, target)
    ]  # fmt: skip
    table = pa.Table.from_batches(pane_table.combine(pa.Table.from_batches(panes, target), KEPT, target), target)
    return {(row["pane_start"], row["g"]): row["v_histogram"] for row in table.to_pylist()}


def test_the_stored_bytes_do_not_depend_on_the_cut_nor_on_the_order() -> None:
    dice = random.Random(11)
    rows = [
        (dice.randrange(3600), dice.choice("ab"), dice.choice([None, 0.0, dice.gauss(0, 1), dice.expovariate(1e-5)]))
        for _ in range(3_000)
    ]
    due = histograms(rows, [])
    assert len(due) == 12
    for parts in (1, 7, 400):
        dice.shuffle(rows)
        assert histograms(rows, sorted(dice.sample(range(1, 3_000), parts))) == due


def test_they_are_those_of_duckdb() -> None:
    rows = [(n * 37 % 3600, "ab"[n % 2], None if n % 5 == 0 else (n * 7919) % 1_000 - 300) for n in range(700)]
    events = pa.table({"g": [row[1] for row in rows], "v": pa.array([row[2] for row in rows], pa.int32())})
    assert events.num_rows == 700
    shares = ", ".join(map(str, SHARES))
    due = dict(duckdb.execute(f"select g, quantile_disc(v, [{shares}]) from events group by g").fetchall())
    for row in windows(rows, [7, 300], columns(IntegerType()), KEPT):
        assert [row[NAMES[share]] for share in SHARES] == pytest.approx(due[row["g"]], rel=0.01)


def test_zeros_nothing_and_what_is_no_number() -> None:
    def of(*values: float | None) -> float | None:
        [row] = windows([(n, "a", value) for n, value in enumerate(values)], [1], columns(DoubleType()), KEPT)
        found: float | None = row["v_p50"]
        return found

    inf, nan = math.inf, math.nan
    assert of(None) is of(None, None) is None
    assert of(0.0, None, -0.0) == of(-5.0, 0.0, 5.0) == of(-inf, 0.0, inf) == 0
    assert str(of(-0.0)) == "0.0"
    assert of(1.0, inf, inf) == of(inf, nan) == inf
    assert math.isnan(of(nan, nan, 1.0) or 0)


def test_columns_of_panes_and_windows() -> None:
    kinds = columns(DecimalType(9, 2))
    both = replace(KEPT, averages=("v",), sums=("v",))
    panes = aggregation.output(kinds, both)
    assert panes.names == ["pane_start", "g", "records", "v_count", "v_sum", "v_min", "v_max", "v_histogram"]
    assert panes["v_histogram"].dataType.simpleString() == "binary"
    published = merging.output(panes, both)
    assert published.names[5:-2] == ["v_mean", "v_min", "v_max", "v_sum", "v_p50", "v_p7", "v_p95", "v_p99_9"]
    assert {published[name].dataType for name in NAMES.values()} == {DoubleType()}
    assert KEPT.columns == ("g", "v")


def test_a_dictionary_becomes_a_value_that_does_not_change() -> None:
    given_ = {"v": [0.5, 0.95], "w": (0.1,)}
    kept = Panes("1 hour", percentiles=given_)
    given_["v"].append(0.99)  # type: ignore[attr-defined]
    assert kept.percentiles == (("v", (0.5, 0.95)), ("w", (0.1,)))
    assert hash(kept) == hash(Panes("1 hour", percentiles={"v": (0.5, 0.95), "w": (0.1,)}))
    assert replace(kept, every="2 hours").percentiles == kept.percentiles
    assert ast.literal_eval(str(kept.percentiles)) == kept.percentiles, "a definition is read back so"
    [default] = [field.default for field in fields(Panes) if field.name == "percentiles"]
    assert default == Panes("1 hour").percentiles == Panes("1 hour", percentiles={}).percentiles == ()
    with pytest.raises(FrozenInstanceError):
        kept.percentiles = ()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"v": (95,)}, "percentiles of v has 95. Write different shares between 0 and 1, of at most 6 digits, such as"),
        ({"v": (0.5, 0.0)}, "of v has 0.0."),
        ({"v": (1.0,)}, "of v has 1.0."),
        ({"v": (math.nan,)}, "of v has nan."),
        ({"v": ("0.5",)}, "of v has '0.5'."),
        ({"v": (0.1234567,)}, "of v has 0.1234567."),
        ({"v": (0.5, 0.5)}, "of v names one twice."),
        ({"v": ()}, "of v names none."),
        ({"v": 0.5}, 'takes a dictionary of columns with their shares: percentiles={"delay": (0.5, 0.95)}'),
        (("v",), "takes a dictionary of columns"),
        (0.5, "takes a dictionary of columns"),
        ((("v", (0.5,)), ("v", (0.9,))), "v: named twice in Panes"),
    ],
)
def test_what_is_no_share_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(Mistake) as refused:
        Panes("1 hour", percentiles=wrong)
    assert said in str(refused.value)


def test_columns_of_no_number_and_names_that_are_taken_are_refused() -> None:
    [fault] = [kept.fault(StringType()) for kept in KEPT.statistics if kept.column]
    assert fault and fault.startswith("percentiles has v, which is string: no number.")
    with pytest.raises(Mistake, match="v: named twice in Panes"):
        Panes("1 hour", ("v",), percentiles={"v": (0.5,)})
    with pytest.raises(Mistake, match="two columns v_p50"):
        contract.check_panes("r_v1", Panes("1 hour", ("v_p50",), percentiles={"v": (0.5,)}))
