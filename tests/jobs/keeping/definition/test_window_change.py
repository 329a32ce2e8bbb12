"""Windows that are added to a result have the rows that they would have from its beginning; those removed have none."""

from pathlib import Path

from pyspark.sql import SparkSession

from jobs.answers.windows import CalendarDay, CalendarMonth, CalendarWeek, Hopping, Tumbling
from jobs.keeping import ledger
from jobs.keeping.definition import comparison
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.periods import PERIODS, ZONE, check, published
from tests.jobs.keeping.world import World

WEEKS, MONTHS, DAYS = CalendarWeek(ZONE), CalendarMonth(ZONE), CalendarDay(ZONE)
BEFORE, AFTER = altered(PERIODS, windows=(DAYS, WEEKS)), altered(PERIODS, windows=(WEEKS, MONTHS))
LOG = readings.interleaved(readings.log(seed=11, each=16), 5)


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
    assert {row["revision"] for row in world.rows() if row["window"] == MONTHS.name} <= {1, 2}


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
