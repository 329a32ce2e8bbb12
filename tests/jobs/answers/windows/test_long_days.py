"""A late record corrects a day of 27 hours from all of its panes, whichever way it is published."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from jobs.answers.windows import CalendarDay, Hopping
from jobs.facts.panes import Panes
from jobs.publishing import stored_panes
from jobs.publishing.pane_cache import PaneCache
from tests import delta
from tests.altered import altered
from tests.jobs.keeping.readings import PANES, Record
from tests.jobs.keeping.world import World

QUARTER = timedelta(minutes=15)
BEGINS, ENDS = datetime(2023, 3, 8, 13, tzinfo=UTC), datetime(2023, 3, 9, 16, tzinfo=UTC)
"""The 9th of March in Casey, where clocks went from 3 o'clock back to 0."""
MOMENTS = [BEGINS + number * QUARTER for number in range(-4, 108 + 4)]
"""A record in each quarter of an hour, from an hour before to an hour after."""
LATE = ENDS - 2 * QUARTER + timedelta(minutes=5)
RESULT = altered(
    PANES,
    panes=Panes("15 minutes", ("site",), averages=("reading",)),
    windows=(CalendarDay("Antarctica/Casey"), Hopping("1 hour", every="30 minutes")),
)


def record(offset: int, moment: datetime, reading: int) -> Record:
    good = {"taken_time": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "site": "north", "device": "d", "reading": reading}
    value = json.dumps(good | {"level": None, "ok": None}).encode()
    return Record(0, offset, ENDS + timedelta(hours=1), "d", value, good, None)


LOG = [record(offset, moment, abs(offset - 4) + 7) for offset, moment in enumerate(MOMENTS)]
"""The least reading of the day is that of its first quarter of an hour, 7."""


def by_spark(world: World, limits: pytest.MonkeyPatch) -> None:
    world.write(LOG)
    world.keep()
    limits.setattr(stored_panes, "MOST_PANES", -1)
    world.write([record(len(LOG), LATE, 1000)])
    world.keep()


def in_two_runs(world: World, limits: pytest.MonkeyPatch) -> None:
    world.write(LOG)
    world.keep()
    world.write([record(len(LOG), LATE, 1000)])
    world.keep()


def in_one_run(world: World, limits: pytest.MonkeyPatch) -> None:
    """Two batches, each of which is published; panes stay in memory from the one to the other."""
    world.write([*LOG, record(len(LOG), LATE, 1000)])
    world.keep_running(batch=len(LOG), publish_every="1 second")


@pytest.mark.parametrize(
    ("way", "spark_publishes", "reads"), [(by_spark, 1, 2), (in_two_runs, 0, 2), (in_one_run, 0, 1)]
)
def test_a_late_record_corrects_a_day_of_27_hours_from_all_of_its_panes(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Any, spark_publishes: int, reads: int
) -> None:
    read: list[str] = []

    def table(path: str) -> DeltaTable:
        read.append(path)
        return DeltaTable(path)

    monkeypatch.setattr(stored_panes, "DeltaTable", table)
    world = World(spark, tmp_path, RESULT)
    way(world, monkeypatch)
    assert (delta.commits_of_spark(world.places.table(RESULT.name)), len(read)) == (spark_publishes, reads)
    days = {row["window_start"]: row for row in world.rows() if row["window_kind"] == "day Antarctica/Casey"}
    assert sorted(days) == [BEGINS - timedelta(days=1), BEGINS, ENDS]
    day = days[BEGINS]
    assert (day["window_end"], day["records"], day["revision"]) == (ENDS, 109, 2)
    assert (day["reading_min"], day["reading_max"]) == (7, 1000)
    assert [days[start]["records"] for start in (BEGINS - timedelta(days=1), ENDS)] == [4, 4]
    assert [days[start]["revision"] for start in (BEGINS - timedelta(days=1), ENDS)] == [1, 1]


@pytest.mark.parametrize("known", [False, True])
def test_all_panes_of_a_day_of_31_hours_are_near_its_last(tmp_path: Path, known: bool) -> None:
    """Vostok, 1994-01-31: at midnight after it back to 17 o'clock."""
    path, zone = str(tmp_path / "panes"), CalendarDay("Antarctica/Vostok")
    begins, ends = datetime(1994, 1, 30, 17, tzinfo=UTC), datetime(1994, 2, 1, tzinfo=UTC)
    cache = PaneCache(
        path, altered(PANES, panes=Panes("15 minutes", ("site",)), windows=(zone,), allowed_lateness="1 hour")
    )

    def added(moments: list[datetime], sequence: int) -> None:
        kinds = {"pane_start": pa.timestamp("us", "UTC"), "site": pa.string()}
        kinds |= {"records": pa.int64(), "sequence": pa.int64()}
        rows = [{"pane_start": moment, "site": "a", "records": 1, "sequence": sequence} for moment in moments]
        table = pa.Table.from_pylist(rows, schema=pa.schema(kinds.items()))
        write_deltalake(path, table, mode="append")
        cache.record_append(table if known else None)

    added([begins + number * QUARTER for number in range(-8, 124)], 2)
    near = cache.near_panes(1)
    assert near is not None
    assert sum(map(len, near.read(None))) == 132
    cache.trim()
    added([ends - QUARTER], 3)
    near = cache.near_panes(2)
    assert near is not None
    rows = [row for piece in near.read(None) for row in piece.to_pylist()]
    inside = [row for row in rows if begins <= row["pane_start"] < ends]
    assert {row["pane_start"] for row in inside} == {begins + number * QUARTER for number in range(124)}
    assert sum(row["records"] for row in inside) == 125
