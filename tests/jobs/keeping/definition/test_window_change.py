"""Windows that are added to a result have the rows that they would have from its beginning; those removed have none."""

from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from jobs import run
from jobs.answers.windows import CalendarDay, CalendarMonth, CalendarWeek, Hopping, Tumbling
from jobs.keeping import ledger
from jobs.keeping.definition import comparison, window_change
from jobs.keeping.manual_change import ManualChange
from jobs.lake import commits, delta_tables
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.periods import PERIODS, ZONE, check, published
from tests.jobs.keeping.world import World, places_in

WEEKS, MONTHS, DAYS = CalendarWeek(ZONE), CalendarMonth(ZONE), CalendarDay(ZONE)
BEFORE, AFTER = altered(PERIODS, windows=(DAYS, WEEKS)), altered(PERIODS, windows=(WEEKS, MONTHS))
LOG = readings.interleaved(readings.only_good(readings.log(seed=11, each=16)), 5)


def test_windows_come_and_go_wherever_a_run_stops(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, BEFORE)
    world.write(LOG[:30])
    assert world.keep()
    begun, first = published(world), ledger.last(world.places, BEFORE.name)
    assert {key[0] for key in begun} == {DAYS.name, WEEKS.name}

    world.result = AFTER
    for moment in ("after remove windows", "before ledger"):
        assert not world.keep(crash=moment)
    assert published(world).keys() != begun.keys()
    world.result = BEFORE  # the change is taken back
    assert world.keep()
    again = ledger.last(world.places, BEFORE.name)
    assert published(world) == begun and first and again
    assert again.definition["windows"] == first.definition["windows"]
    assert (again.generation, again.batch_id, again.is_published) == (first.generation, first.batch_id, True)

    world.result = AFTER
    assert world.keep()
    check(world)
    world.write(LOG[30:])
    assert world.keep()
    check(world)
    rows = sorted(world.rows("_ledger"), key=lambda row: row["sequence"])
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    notes = [note for row in rows for note in row["notes"]]
    assert notes[-2:] == [
        f"windows day {ZONE} are published no more: their rows were removed",
        f"windows month {ZONE} were published for all panes",
    ]
    assert sum("taken back" in note for note in notes) == 2, "each time that it was broken off"
    assert {row["revision"] for row in world.rows() if row["window_kind"] == MONTHS.name} <= {1, 2}


def test_windows_that_came_and_went() -> None:
    def told(*now: Tumbling | Hopping | CalendarDay) -> tuple[tuple[str, ...], tuple[str, ...]]:
        was = altered(PERIODS, windows=(Tumbling("1 hour"), DAYS)).definition()
        removed, added = comparison.changed_windows(was, altered(PERIODS, windows=now))
        return removed, tuple(window.name for window in added)

    assert told(DAYS, Tumbling("1 hour")) == ((), ()), "their order means nothing"
    assert told(Tumbling("1 hour")) == ((DAYS.name,), ())
    assert told(Hopping("2 hours", "1 hour"), Tumbling("1 hour"), DAYS) == ((), ("hopping 2 hours every 1 hour",))
    assert told(Tumbling("2 hours"), DAYS) == (("tumbling 1 hour",), ("tumbling 2 hours",))
    assert told(Tumbling("1 hour", uniques=False), DAYS) == (("tumbling 1 hour",), ("tumbling 1 hour",))
    assert comparison.changed_windows({}, PERIODS) == ((), ())


def test_a_feed_that_begins_after_windows_have_changed_without_it_begins_with_all_rows(tmp_path: Path) -> None:
    """The job file names no delivery any more, and its windows change. When a delivery comes back, the feed lacks what
    was changed, so the ledger must not say that it goes on from where it was.
    """
    places, name = places_in(tmp_path), AFTER.name
    delta_tables.create(places.table(name), StructType([StructField("window_kind", StringType())]), (), "windows")
    step = commits.Commit(name, "1", 1, "windows", {}, {})
    delta_tables.append(pa.table({"window_kind": [DAYS.name, WEEKS.name]}), places.table(name), step, {})
    ledger.create(places, name)
    first = ledger.Row(sequence=1, kind="publish", generation=1, batch_id=0, published_sequence=1)
    delivered = {"delivered_sequence": {"topic:periods": 1}, "tables": ledger.versions(places, [name])}
    last = ledger.write(places, name, first.next("publish", **delivered))
    no_spark = cast(Any, None)
    row = window_change.apply(no_spark, places, AFTER, [DAYS.name], (), last, lambda _: None)
    assert row.delivered_sequence == {}
    found = ledger.last(places, name)
    assert found and found.sequence == 3 and found.delivered_sequence == {}


def test_nor_does_it_after_a_requeue_that_has_published_windows_without_it(tmp_path: Path) -> None:
    places = places_in(tmp_path)
    result = altered(PERIODS, windows=(DAYS,))
    for name in (result.name, result.table("panes")):
        delta_tables.create(places.table(name), StructType([StructField("window_kind", StringType())]), (), "empty")
    last = ledger.Row(1, "batch", 1, 0, published_sequence=1, delivered_sequence={"topic:periods": 1})
    change = ManualChange(run.Run(cast(Any, None), places), result, last)
    row = change.publish_all(last.next("requeue"))
    assert (row.published_sequence, row.delivered_sequence) == (2, {})
