"""Batches of a continuous run grow and shrink towards their target time, and every record is still counted once."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs import run
from jobs.answers.result import Result
from jobs.keeping import ledger, microbatch
from jobs.keeping.batch_size import BatchSize
from jobs.log.archive import writer
from tests import delta
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.world import UntilTheEnd, places_in
from tests.jobs.steps import resting_at

RECORDS = readings.only_good(readings.log(seed=2, each=24))


@given(
    per_second=st.floats(10, 1e6), overhead=st.floats(0, 1), floor=st.integers(1, 1000), more=st.integers(0, 1_000_000)
)
def test_it_settles_within_twice_of_the_target_or_at_a_bound(
    per_second: float, overhead: float, floor: int, more: int
) -> None:
    size = BatchSize(5.0, floor, floor + more)
    moves = 0
    for _ in range(20):
        assert floor <= size.limit <= floor + more
        moves += size.adjust(size.limit, overhead + size.limit / per_second)
    seconds = overhead + size.limit / per_second
    assert 2.4 <= seconds <= 10.1 or size.limit in (floor, floor + more) or size.limit <= 2
    assert moves <= 10


def test_a_batch_that_is_not_full_says_nothing() -> None:
    size = BatchSize(5.0, 10, 16_000)
    assert size.limit == 1000
    assert not size.adjust(3, 60.0)
    assert size.adjust(1000, 50.0) and size.limit == 100


def sizes(spark: SparkSession, places: run.Places, result: Result) -> list[int]:
    """Run continuously until the log is read, in batches of 3 seconds or more; the records of each batch."""
    slow = resting_at("before panes", 3)
    job = UntilTheEnd(spark, places, continuous="100 milliseconds", step=slow, say=lambda _: None)
    microbatch.keep(job, result)
    rows = delta.rows(ledger.path(places, result.name))
    return [row["records"] for row in sorted(rows, key=lambda row: row["sequence"]) if row["kind"] == "batch"]


@pytest.mark.parametrize(
    ("bounds", "first", "later"),
    [
        ({"batch_target": "1 hour", "max_records_per_batch": 32, "min_records_per_batch": 2}, 2, 32),
        ({"batch_target": "1 second", "max_records_per_batch": 512, "min_records_per_batch": 14}, 32, 14),
    ],
    ids=["grows", "shrinks"],
)
def test_a_continuous_run_follows_its_target(
    spark: SparkSession, tmp_path: Path, bounds: dict[str, Any], first: int, later: int
) -> None:
    places = places_in(tmp_path)
    writer.append(places.archive, "readings", 3, [readings.batch(RECORDS)])
    found = sizes(spark, places, altered(readings.PANES, **bounds))
    rounding = readings.PARTITIONS  # a batch is at most its limit and the number of partitions
    assert sum(found) == len(RECORDS)
    assert first <= found[0] <= first + rounding
    assert all(later <= size <= later + rounding for size in found[1:-1]) and len(found) >= 3
    published = {key: row["records"] for key, row in windows(places).items()}
    assert published == {key: facts["records"] for key, facts in readings.windows(RECORDS).items()}


def windows(places: run.Places) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = delta.rows(places.table(readings.PANES.name))
    return {tuple(row[name] for name in ("window_kind", "window_start", "window_end", "site")): row for row in rows}
