"""What holds for every statistic: its columns have its name and a comment, and the table of panes loses nothing."""

from datetime import timedelta

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DataType, DecimalType, DoubleType, LongType, StructField, StructType, TimestampType

from jobs.facts import aggregation, pane_table
from jobs.facts.panes import Panes
from tests.jobs.facts.cuts import HOUR

EVERY = Panes(
    "1 hour",
    counts=("ok",),
    uniques=("u",),
    averages=("v",),
    sums=("v",),
    deviations=("v",),
    percentiles={"v": (0.5, 0.999)},
    firsts=("v", "ok"),
    lasts=("v",),
)
KINDS: list[DataType] = [LongType(), DoubleType(), DecimalType(38, 18)]


def columns(kind: DataType) -> StructType:
    kinds = {"event_time": TimestampType(), "v": kind, "u": LongType()}
    return StructType([StructField(name, kind) for name, kind in kinds.items()]).add("ok", "boolean")


@pytest.mark.parametrize("kind", KINDS)
def test_columns_begin_with_the_name_of_the_statistics_own_and_have_a_comment(kind: DataType) -> None:
    panes = aggregation.output(columns(kind), EVERY)
    for statistic in EVERY.statistics:
        names = [field.name for field in statistic.window_columns(panes)]
        assert names and set(names) <= statistic.comments("A sentence.").keys()
        assert all(statistic.comments("A sentence.")[name].strip() for name in names)
        of_panes = [field.name for field in statistic.pane_columns(columns(kind))]
        if statistic.column is not None:
            names += of_panes
            assert of_panes and all(name.startswith(f"{statistic.column}_") for name in names)
    assert set(panes.names[2:]) == {
        field.name for statistic in EVERY.statistics for field in statistic.pane_columns(columns(kind))
    } - {"records"}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_by_way_of_the_table_of_panes(kind: DataType) -> None:
    """Also where there is no value at all."""
    schema = to_arrow_schema(columns(kind), timezone="UTC")
    times = [HOUR + timedelta(hours=hour) for hour in (0, 0, 1)]
    events = pa.table([times, [3, 5, None], [1, 1, None], [True, None, None]], names=schema.names).cast(schema)
    target = to_arrow_schema(aggregation.output(columns(kind), EVERY), timezone="UTC")
    once = pa.Table.from_batches(aggregation._partials_of_batches(iter(events.to_batches()), EVERY, target), target)
    again = pa.Table.from_batches(pane_table.combine(once, EVERY, target), target)
    assert again.drop_columns("u_sketch").equals(once.drop_columns("u_sketch"))
    for table in (once, again):
        parts = pane_table.pane_columns(table, EVERY.statistics)
        finished: dict[str, pa.Array] = {}
        for statistic in EVERY.statistics:
            finished |= statistic.finish(parts, 2)
        assert finished["v_stddev"].to_pylist() == [pytest.approx(2**0.5, rel=1e-15), None]
        assert finished["v_sum"].to_pylist() == [8, None]
        assert finished["v_mean"].to_pylist() == [4, None]
        assert [finished[name].to_pylist() for name in ("v_first", "v_last", "ok_first")] == [
            [3, None],
            [5, None],
            [True, None],
        ]
        assert finished["v_p50"].to_pylist() == [pytest.approx(3, rel=0.01), None]
        assert finished["v_p99_9"].to_pylist() == [pytest.approx(5, rel=0.01), None]
        assert [finished[name].to_pylist() for name in ("records", "ok_count", "u_estimate")] == [
            [2, 1],
            [1, 0],
            [1, 0],
        ]
