"""Panes and windows of any values, however they are cut, are what plain Python makes of the same values."""

import math
import unicodedata
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.facts import aggregation, pane_table
from jobs.facts.panes import Panes
from tests.jobs.facts.cuts import HOUR, batches, decimals, whole, windows

E_ACUTE = unicodedata.normalize("NFC", "é")
TEXTS = [
    "",
    " ",
    "a",
    "A",
    "a ",
    " a",
    "\0",
    "\0a",
    E_ACUTE,
    unicodedata.normalize("NFD", E_ACUTE),
    "ß",
    "ss",
    "İ",
    "i",
]
FRACTIONS = [0.0, -0.0, 1.5, -2.0, float("nan"), -float("nan")]


GROUPS: dict[str, tuple[DataType, st.SearchStrategy[Any]]] = {
    "text": (StringType(), st.sampled_from(TEXTS)),
    "fraction": (DoubleType(), st.sampled_from(FRACTIONS)),
    "small fraction": (FloatType(), st.sampled_from(FRACTIONS)),
    "whole": (LongType(), st.sampled_from([0, -1, 2**63 - 1, -(2**63)])),
    "exact": (DecimalType(38, 18), st.sampled_from([Decimal("0E-18"), Decimal("-0E-18"), Decimal("1E-18")])),
    "truth": (BooleanType(), st.booleans()),
    "day": (DateType(), st.dates(datetime(1, 1, 1).date(), datetime(9998, 1, 1).date())),
    "moment": (TimestampType(), st.sampled_from([HOUR, HOUR + timedelta(microseconds=1)])),
    "bytes": (BinaryType(), st.sampled_from([b"", b"\0", b"a", b"a "])),
}
NUMBERS: dict[str, tuple[DataType, st.SearchStrategy[Any]]] = {
    "8 bits": (ByteType(), whole(8)),
    "32 bits": (IntegerType(), whole(32)),
    "64 bits": (LongType(), whole(64)),
    **{
        f"{digits} digits, {scale} after the point": (DecimalType(digits, scale), decimals(digits, scale))
        for digits, scale in ((38, 18), (38, 0), (38, 38), (29, 5), (28, 28), (28, 0), (18, 2), (9, 2))
    },
}


def name_of(group: Any) -> Any:
    """What Python must tell groups apart by: bytes of texts, one zero, one NaN."""
    if isinstance(group, float):
        return "NaN" if math.isnan(group) else group + 0.0
    return group.encode() if isinstance(group, str) else group


@pytest.mark.parametrize("kind", GROUPS)
@settings(max_examples=40)
@given(data=st.data())
def test_groups_are_equal_where_the_one_definition_says_so(kind: str, data: st.DataObject) -> None:
    type_, some = GROUPS[kind]
    seconds = st.integers(0, 3599)
    rows = data.draw(
        st.lists(st.tuples(seconds, st.none() | some, st.none() | st.sampled_from(FRACTIONS[:4])), min_size=1)
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    kinds = StructType(
        [StructField("event_time", TimestampType()), StructField("g", type_), StructField("v", DoubleType())]
    )
    kept = Panes("10 minutes", ("g",), averages=("v",))
    found = windows(rows, cuts, kinds, kept)
    counts: dict[Any, list[float]] = {}
    for _, group, value in rows:
        counts.setdefault(name_of(group), []).extend([] if value is None else [value])
    assert len(found) == len(counts)
    for row in found:
        values = counts[name_of(row["g"])]
        mine = [group for _, group, _ in rows if name_of(group) == name_of(row["g"])]
        assert row["records"] == len(mine)
        assert (row["v_min"], row["v_max"]) == (min(values, default=None), max(values, default=None))
        for number in (row["g"], row["v_min"], row["v_max"]):
            assert not isinstance(number, float) or number != 0 or math.copysign(1, number) == 1, "no negative zero"


@pytest.mark.parametrize("kind", NUMBERS)
@settings(max_examples=40)
@given(data=st.data())
def test_sums_means_and_ends_are_exact_however_the_values_are_cut(kind: str, data: st.DataObject) -> None:
    type_, some = NUMBERS[kind]
    rows = data.draw(st.lists(st.tuples(st.integers(0, 3599), st.sampled_from("ab"), st.none() | some), min_size=1))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=3)))
    kinds = StructType(
        [StructField("event_time", TimestampType()), StructField("g", StringType()), StructField("v", type_)]
    )
    for row in windows(rows, cuts, kinds, Panes("10 minutes", ("g",), averages=("v",))):
        values = [value for _, group, value in rows if group == row["g"] and value is not None]
        assert (row["v_min"], row["v_max"]) == (min(values, default=None), max(values, default=None))
        exact = sum(map(Fraction, values)) / len(values) if values else None
        assert row["v_mean"] == (exact and pytest.approx(float(exact), rel=1e-15)) or exact == 0 == row["v_mean"]


def test_a_sum_of_more_than_38_digits_is_kept_as_text_and_comes_back_when_it_is_smaller() -> None:
    nines = Decimal("99999999999999999999.999999999999999999")
    kinds = StructType(
        [
            StructField("event_time", TimestampType()),
            StructField("g", StringType()),
            StructField("v", DecimalType(38, 18)),
        ]
    )
    kept = Panes("1 hour", ("g",), averages=("v",))
    target = to_arrow_schema(aggregation.output(kinds, kept), timezone="UTC")

    def panes(*values: Decimal) -> pa.Table:
        events = batches([(0, "a", value) for value in values], kinds)
        return pa.Table.from_batches(aggregation._partials_of_batches(iter(events.to_batches()), kept, target), target)

    [large] = panes(nines, nines).to_pylist()
    assert (large["v_sum"], large["v_sum_beyond"]) == (None, "199999999999999999999.999999999999999998")
    both = pa.concat_tables([panes(nines, nines), panes(nines.copy_negate())])
    [row] = pa.Table.from_batches(pane_table.combine(both, kept, target), target).to_pylist()
    assert (row["v_sum"], row["v_sum_beyond"], row["v_count"]) == (nines, None, 3)
    [row] = windows([(0, "a", nines), (1, "a", nines)], [1], kinds, kept)
    assert (row["v_mean"], row["v_max"]) == (1e20, nines)


def test_a_column_of_few_digits_has_no_column_for_larger_sums() -> None:
    kinds = StructType([StructField("event_time", TimestampType()), StructField("v", DecimalType(28, 5))])
    assert aggregation.output(kinds, Panes("1 hour", averages=("v",))).names == [
        "pane_start",
        "records",
        "v_count",
        "v_sum",
        "v_min",
        "v_max",
    ]
