"""Sums and deviations of weeks and months are those of the log, however it is cut and whatever goes wrong meanwhile."""

from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession

from jobs.answers.windows import Windows
from tests.jobs.keeping import readings
from tests.jobs.keeping.periods import LOG, PERIODS, ZONE, check, published
from tests.jobs.keeping.world import World


def test_any_cut_and_any_accident(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, PERIODS)
    written = readings.interleaved(LOG, 5)
    world.write(written[:40])
    assert not world.keep(batch=29, crash="after panes")
    world.write(written[40:])
    assert not world.keep(batch=29, crash="after windows")
    world.keep(batch=29)
    check(world)
    assert len({key[:2] for key in published(world)}) == 3, "two weeks, and the month that they are in"
    beyond = [row["amount_sum_beyond"] for row in world.rows() if row["amount_sum"] is None]
    assert len(beyond) == 5 and all(abs(Decimal(text)) > 10**20 for text in beyond)


def test_a_result_that_had_no_days_yet_gets_them(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a version that merged weeks and months from panes."""
    world, written = World(spark, tmp_path, PERIODS), readings.interleaved(LOG, 5)
    with monkeypatch.context() as patch:
        patch.setattr(Windows, "from_days", ())
        world.write(written[:30])
        assert world.keep()
    assert not (tmp_path / "tables" / "periods_v1_calendar_days").exists()
    world.write(written[30:])
    assert world.keep()
    check(world)
    days = {(row["pane_start"].date(), row["site"]) for row in world.rows("_calendar_days")}
    assert len(days) == len(world.rows("_calendar_days")) < len(world.rows("_panes"))
    assert days == {
        (record.good["taken_time"].astimezone(ZoneInfo(ZONE)).date(), record.good["site"])
        for record in written
        if record.good and record.good["site"] != "test"
    }
