"""Panes: what they keep is exact, and merging them in any grouping says the same."""

import random
from datetime import datetime
from fractions import Fraction

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.transforms import panes
from jobs.transforms.panes import Panes

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


def test_means_minima_maxima_and_counts_are_exact(spark: SparkSession) -> None:
    partials = panes.collect(events(spark), KEPT)
    merged = panes.merge(partials.union(partials), KEPT, ("site",)).collect()  # each part counts twice
    found = {row.site: row.asDict() for row in merged}
    assert found.keys() == {"a", "b", None}
    for site, row in found.items():
        mine = [r for r in ROWS if r[0] == site]
        assert row["records"] == 2 * len(mine)
        assert row["ok_count"] == 2 * sum(bool(r[4]) for r in mine)
        for place, name in ((1, "small"), (2, "big"), (3, "real")):
            values = [r[place] for r in mine if r[place] is not None]
            mean = float(sum(map(Fraction, values)) / len(values)) if values else None
            assert row[f"{name}_mean"] == (mean and pytest.approx(mean, rel=1e-15))
            assert row[f"{name}_min"] == min(values, default=None)
            assert row[f"{name}_max"] == max(values, default=None)
    sums = {row.site: row.big_sum for row in partials.collect()}
    assert sums == {"a": 3 * BIG + 4 - 7, "b": None, None: 4}


def test_a_pane_starts_at_a_multiple_of_its_length(spark: SparkSession) -> None:
    moments = ["1970-01-01 00:00:00", "2013-06-01 00:04:59.999999", "2013-06-01 00:05:00", "2013-06-01 00:09:00.5"]
    frame = spark.createDataFrame([(m,) for m in moments], "m string").withColumn("m", F.to_timestamp("m")).coalesce(1)
    found = [row[0] for row in frame.select(panes.pane_start(F.col("m"), KEPT).cast("string")).collect()]
    expected = ["1970-01-01 00:00:00", "2013-06-01 00:00:00", "2013-06-01 00:05:00", "2013-06-01 00:05:00"]
    assert found == expected


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
    merged = panes.merge(panes.collect(frame, named), kept, ("grouping",)).collect()
    estimates = {row.grouping: row.device_estimate for row in merged}
    assert len(estimates) == 4
    assert len(set(estimates.values())) == 1
    assert abs(estimates["whole"] - values) < 4 * values * 1.04 / 2**6
    assert merged[0].device_standard_error == pytest.approx(merged[0].device_estimate * 1.04 / 64)
    assert merged[0].lg_k == 12


def test_sketches_of_unlike_size_are_not_merged(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("x",)], "device string").withColumn("event_time", F.lit(START).cast("timestamp"))
    small, large = (Panes("5 minutes", uniques=("device",), lg_k=lg_k) for lg_k in (10, 12))
    both = panes.collect(frame, small).union(panes.collect(frame, large))
    with pytest.raises(Exception, match="HLL_UNION_DIFFERENT_LG_K"):
        panes.merge(both, large, ()).collect()


def test_names_and_sizes_that_cannot_be_are_refused() -> None:
    for wrong in ({"every": "5 parsecs"}, {"lg_k": 3}, {"lg_k": 22}, {"by": ("a",), "averages": ("a",)}):
        with pytest.raises(ValueError):
            Panes(**({"every": "5 minutes"} | wrong))
