"""Sums and deviations of weeks and months are those of the log, however it is cut and whatever goes wrong meanwhile."""

from decimal import Decimal
from pathlib import Path

from pyspark.sql import SparkSession

from tests.jobs.keeping import readings
from tests.jobs.keeping.periods import LOG, PERIODS, check, published
from tests.jobs.keeping.world import World


def test_any_cut_and_any_accident(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, PERIODS)
    written = readings.interleaved(LOG, 5)
    world.write(written[:40])
    assert not world.keep(batch=29, crash="after panes")
    world.write(written[40:])
    world.keep(batch=29)
    check(world)
    assert len({key[:2] for key in published(world)}) == 3, "two weeks, and the month that they are in"
    beyond = [row["amount_sum_beyond"] for row in world.rows() if row["amount_sum"] is None]
    assert len(beyond) == 5 and all(abs(Decimal(text)) > 10**20 for text in beyond)
