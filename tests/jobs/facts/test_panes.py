"""Panes: what they keep is exact, and merging them in any grouping says the same."""

import random
from datetime import datetime
from fractions import Fraction
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.answers.windows import Tumbling, merging
from jobs.facts import aggregation
from jobs.facts.panes import Panes
from sketches import hyperloglog

START = datetime(2013, 6, 1)
BIG = 2**62
KEPT = Panes("5 minutes", ("site",), averages=("small", "big", "real"), counts=("ok",))
ROWS = [
    ("a", 2_147_483_647, BIG, 0.1, True),
    ("a", 2_147_483_647, BIG + 1, 0.2, None),
    ("a", None, BIG + 3, -1e300, False),
    ("a", -5, -7, None, True),
    ("b", None, None, None, None),
    (None, 3, 4, 5.5, True),
]


def events(spark: SparkSession) -> DataFrame:
    schema = "site string, small int, big long, real double, ok boolean"
    return spark.createDataFrame(ROWS, schema).withColumn("event_time", F.lit(START).cast("timestamp"))


def merged(collected: DataFrame, kept: Panes) -> list[dict[str, Any]]:
    """Windows of an hour, of which there is one."""
    rows = [row.asDict() for row in merging.merge(collected, kept, (Tumbling("1 hour"),), 0).collect()]
    assert {row["window_start"] for row in rows} == {START}
    return rows


def test_means_minima_maxima_and_counts_are_exact(spark: SparkSession) -> None:
    partials = aggregation.aggregate(events(spark), KEPT)
    found = {row["site"]: row for row in merged(partials.union(partials), KEPT)}  # each part counts twice
    assert found.keys() == {"a", "b", None}
    for site, row in found.items():
        mine = [r for r in ROWS if r[0] == site]
        assert row["records"] == 2 * len(mine)
        assert row["ok_count"] == 2 * sum(bool(r[4]) for r in mine)
        for place, name in ((1, "small"), (2, "big"), (3, "real")):
            values: list[Any] = [r[place] for r in mine if r[place] is not None]
            mean = float(sum(map(Fraction, values)) / len(values)) if values else None
            assert row[f"{name}_mean"] == (mean and pytest.approx(mean, rel=1e-15))
            assert row[f"{name}_min"] == min(values, default=None)
            assert row[f"{name}_max"] == max(values, default=None)
    sums = {row.site: row.big_sum for row in partials.collect()}
    assert sums == {"a": 3 * BIG + 4 - 7, "b": None, None: 4}


def test_a_pane_starts_at_a_multiple_of_its_length(spark: SparkSession) -> None:
    moments = ["1970-01-01 00:00:00", "2013-06-01 00:04:59.999999", "2013-06-01 00:05:00", "2013-06-01 00:09:00.5"]
    frame = spark.createDataFrame([(m,) for m in moments], "m string").select(F.to_timestamp("m").alias("event_time"))
    rows = (
        aggregation.aggregate(frame, Panes("5 minutes")).selectExpr("cast(pane_start as string)", "records").collect()
    )
    assert sorted(map(tuple, rows)) == [
        ("1970-01-01 00:00:00", 1), ("2013-06-01 00:00:00", 1), ("2013-06-01 00:05:00", 2),
    ]  # fmt: skip


KINDS = {
    "small": "tinyint",
    "whole": "int",
    "large": "bigint",
    "exact": "decimal(9,2)",
    "real": "float",
    "fine": "double",
}


def test_panes_of_many_blocks_are_those_of_spark_itself(spark: SparkSession) -> None:
    """Spark's own aggregates over the same events, sketches included."""
    made = spark.range(4_000).selectExpr(
        "timestamp_seconds(id * 7 % 900) as event_time",
        "nullif(id % 5, 3) as site",
        "case when id % 3 = 0 then null else id % 2 = 0 end as ok",
        "nullif(cast(hash(id) % 300 as string), '7') as device",
        "nullif(id * 31 % 40, 5) as number",
        *(f"cast(nullif(hash(id, 1) % 100, 11) as {kind}) as {name}" for name, kind in KINDS.items()),
    ).where("site is null or site != 4 or id > 3990")  # fmt: skip
    kept = Panes("5 minutes", ("site",), averages=tuple(KINDS), uniques=("device", "number"), counts=("ok",), lg_k=9)
    found = {(row.pane_start, row.site): row for row in aggregation.aggregate(made.repartition(3), kept).collect()}
    sums = {name: f"cast({name} as decimal(20,0))" if name == "large" else name for name in KINDS}
    due = made.groupBy(F.window("event_time", "5 minutes").start.alias("pane_start"), "site").agg(
        F.count("*").alias("records"),
        *(F.count(name).alias(f"{name}_count") for name in KINDS),
        *(F.expr(f"sum({value})").alias(f"{name}_sum") for name, value in sums.items()),
        *(F.min(name).alias(f"{name}_min") for name in KINDS),
        *(F.max(name).alias(f"{name}_max") for name in KINDS),
        *(F.hll_sketch_agg(name, F.lit(9)).alias(f"{name}_sketch") for name in kept.uniques),
        F.count_if("ok").alias("ok_count"),
    )  # fmt: skip
    rows = due.collect()
    assert (
        aggregation.aggregate(made, kept).schema.simpleString()
        == due.select(aggregation.output(made.schema, kept).names).schema.simpleString()
    )
    assert found.keys() == {(row.pane_start, row.site) for row in rows}
    for row in rows:
        mine = found[row.pane_start, row.site].asDict()
        for name, value in row.asDict().items():
            if name.endswith("_sketch"):
                theirs = bytes(value)
                union = hyperloglog.merge([theirs, bytes(mine[name])])
                assert hyperloglog.estimate(union) == hyperloglog.estimate(hyperloglog.merge([theirs]))
                assert hyperloglog.estimate(union) == hyperloglog.estimate(hyperloglog.merge([bytes(mine[name])]))
            else:
                assert mine[name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), name


@pytest.mark.parametrize("values", [500, 700])
def test_the_estimate_is_the_same_for_any_grouping(values: int, spark: SparkSession) -> None:
    """Around these sizes a sketch of lg_k 12 changes its form; in each grouping a value may come several times."""
    kept = Panes("5 minutes", uniques=("device",))
    dice = random.Random(values)
    rows = []
    for number in range(values):
        spread = dice.randrange(40)
        rows += [("whole", 0, f"d{number}"), ("halves", number % 2, f"d{number}"), ("many", spread, f"d{number}")]
        rows += [("doubled", number % 3, f"d{number}"), ("doubled", 9, f"d{number}")]
    frame = spark.createDataFrame(rows, "grouping string, part int, device string")
    frame = frame.withColumn("event_time", F.lit(START).cast("timestamp"))
    named = Panes(kept.every, ("grouping", "part"), uniques=kept.uniques)
    parts = aggregation.aggregate(frame, named).drop("part")
    found = merged(parts, Panes(kept.every, ("grouping",), uniques=kept.uniques))
    estimates = {row["grouping"]: row["device_estimate"] for row in found}
    assert len(estimates) == 4
    assert len(set(estimates.values())) == 1
    assert abs(estimates["whole"] - values) < 4 * values * 1.04 / 2**6
    assert found[0]["device_standard_error"] == pytest.approx(found[0]["device_estimate"] * 1.04 / 64)
    assert found[0]["lg_k"] == 12


def test_sketches_of_unlike_size_are_not_merged(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("x",)], "device string").withColumn("event_time", F.lit(START).cast("timestamp"))
    small, large = (Panes("5 minutes", uniques=("device",), lg_k=lg_k) for lg_k in (10, 12))
    both = aggregation.aggregate(frame, small).union(aggregation.aggregate(frame, large))
    with pytest.raises(Exception, match=r"cannot merge a sketch of lgK 1[02] with lgK 1[02]"):
        merged(both, large)


def test_names_and_sizes_that_cannot_be_are_refused() -> None:
    for wrong in ({"every": "5 parsecs"}, {"lg_k": 3}, {"lg_k": 22}, {"by": ("a",), "averages": ("a",)}):
        with pytest.raises(ValueError):
            Panes(**({"every": "5 minutes"} | wrong))
