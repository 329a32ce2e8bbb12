"""Weeks, months and years that are merged from days are those of the panes, worked out with Python's own calendar."""

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql.types import LongType, StringType, StructType, TimestampType

from jobs.answers.result import Result
from jobs.answers.windows import CalendarDay, CalendarMonth, CalendarWeek, CalendarYear, Tumbling, Window
from jobs.facts.panes import Panes
from jobs.keeping import result_tables
from jobs.lake import commits, delta_tables
from jobs.publishing import calendar_days, near_panes, publication, stored_panes
from jobs.publishing.finality import UNKNOWN
from jobs.publishing.pane_cache import PaneCache
from jobs.running.places import Places
from tests import delta
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.world import places_in

NEW_YORK, KOLKATA = "America/New_York", "Asia/Kolkata"
EVENTS = StructType().add("event_time", TimestampType()).add("site", StringType()).add("level", LongType())
PANES = Panes("30 minutes", ("site",), sums=("level",))
LONG: tuple[Window, ...] = (CalendarMonth(NEW_YORK), CalendarYear(NEW_YORK), CalendarWeek(KOLKATA))
FIRST = datetime(1970, 1, 1, tzinfo=UTC)
"""A time in a day of New York that began before 1970."""
Pane = tuple[datetime, str, int]
"""Start, site and level of the one record of a partial pane."""


class Stored:
    """A result whose panes the test writes."""

    def __init__(self, folder: Path, windows: tuple[Window, ...], has_cache: bool) -> None:
        self.result: Result = altered(readings.PANES, name="long_v1", panes=PANES, windows=windows)
        self.places: Places = places_in(folder)
        for table in result_tables.tables_from(self.result, EVENTS):
            delta_tables.create(self.places.table(table.name), table.columns, (), table.sentence)
        self.panes: list[Pane] = []
        self.sequence, self.published = 1, 0
        self.cache = PaneCache(self.places.table("long_v1_panes"), self.result) if has_cache else None

    def append(self, panes: list[Pane]) -> None:
        self.sequence += 1
        path = self.places.table("long_v1_panes")
        starts, sites, levels = zip(*panes, strict=True)
        values: dict[str, Any] = {"pane_start": starts, "site": sites, "records": [1] * len(panes)}
        values |= {"level_sum": levels, "level_count": [1] * len(panes), "sequence": [self.sequence] * len(panes)}
        schema = pa.schema(DeltaTable(path).schema().to_arrow())
        assert set(schema.names) == set(values)
        rows = pa.table({field.name: pa.array(values[field.name]).cast(field.type) for field in schema}, schema=schema)
        write_deltalake(path, rows, mode="append")
        self.panes += panes
        if self.cache:
            self.cache.record_append(rows)

    def publish(self) -> None:
        commit = commits.Commit("long_v1", "1", self.sequence, "publish", {}, {})
        no_spark = cast(Any, None)
        publication.publish(no_spark, self.places, self.result, self.published, UNKNOWN, commit, self.cache)
        self.published = self.sequence

    def found(self) -> dict[tuple[Any, ...], tuple[int, int]]:
        rows = delta.rows(self.places.table("long_v1"))
        found = {
            (row["window_kind"], row["window_start"], row["window_end"], row["site"]): (
                row["records"],
                int(row["level_sum"]),
            )
            for row in rows
        }
        assert len(found) == len(rows)
        return found


def midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def span(window: Window, moment: datetime) -> tuple[datetime, datetime]:
    """Start and end of the window that holds it."""
    if isinstance(window, Tumbling):
        start = moment.replace(minute=0)
        return start, start + timedelta(hours=1)
    zone = window.zone  # type: ignore[attr-defined]
    day = moment.astimezone(ZoneInfo(zone)).date()
    if isinstance(window, CalendarWeek):
        first = day - timedelta(days=day.weekday())
        after = first + timedelta(days=7)
    elif isinstance(window, CalendarMonth):
        first = day.replace(day=1)
        after = (first + timedelta(days=31)).replace(day=1)
    else:
        first = day.replace(month=1, day=1)
        after = first.replace(year=first.year + 1)
    return midnight(first, zone), midnight(after, zone)


def expected(stored: Stored) -> dict[tuple[Any, ...], tuple[int, int]]:
    levels: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for start, site, level in stored.panes:
        for window in stored.result.windows:
            levels[window.name, *span(window, start), site].append(level)
    return {key: (len(some), sum(some)) for key, some in levels.items()}


def some_panes(dice: random.Random, since: datetime, days: int, count: int) -> list[Pane]:
    times = (since + timedelta(minutes=30 * dice.randrange(48 * days)) for _ in range(count))
    return [(time, dice.choice("abc"), dice.randrange(1000)) for time in times]


@pytest.mark.parametrize("windows", [LONG, (*LONG, Tumbling("1 hour"))], ids=["long ones alone", "beside hours"])
@pytest.mark.parametrize("has_cache", [False, True], ids=["once", "again and again"])
def test_any_panes_in_any_order(
    windows: tuple[Window, ...], has_cache: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over days in which clocks change, and years before; in pieces smaller than a day, and in few spans of days."""
    monkeypatch.setattr(near_panes, "PIECE_ROWS", 9)
    monkeypatch.setattr(calendar_days, "MOST_SPANS", 3)
    dice, stored = random.Random(len(windows)), Stored(tmp_path, windows, has_cache)
    march = datetime(2013, 3, 8, tzinfo=UTC)
    for panes in (
        some_panes(dice, march, 5, 60),
        some_panes(dice, march + timedelta(days=4), 2, 20),
        [(FIRST, "a", 1), (FIRST + timedelta(hours=6), "a", 2), *some_panes(dice, march + timedelta(days=6), 1, 5)],
        some_panes(dice, march - timedelta(days=900), 1500, 12),
        some_panes(dice, march + timedelta(days=6), 1, 5),
    ):
        stored.append(panes)
        if panes[0][0] != FIRST or has_cache:
            stored.publish()
            assert stored.found() == expected(stored)
    revisions = {
        row["revision"] for row in delta.rows(stored.places.table("long_v1")) if row["window_kind"][:4] == "year"
    }
    assert max(revisions) > 2


def test_a_publish_reads_the_panes_of_the_days_that_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And none else, however many there are in the month: more than could be read."""
    dice, stored = random.Random(1), Stored(tmp_path, LONG[:1], has_cache=False)
    for day in range(20):
        stored.append(some_panes(dice, datetime(2013, 5, 1 + day, 4, tzinfo=UTC), 1, 30))
    stored.publish()
    stored.append(some_panes(dice, datetime(2013, 5, 3, 4, tzinfo=UTC), 1, 3))
    stored.append(some_panes(dice, datetime(2013, 5, 21, 4, tzinfo=UTC), 1, 3))
    read: list[int] = []
    before = stored_panes.between

    def counting(*arguments: Any) -> Any:
        for piece in before(*arguments):
            read.append(piece.num_rows)
            yield piece

    monkeypatch.setattr(stored_panes, "between", counting)
    stored.publish()
    assert sum(read) == 30 + 3 + 3
    assert stored.found() == expected(stored)


def test_which_windows_are_merged_from_days() -> None:
    day, hour = CalendarDay(NEW_YORK), Tumbling("1 hour")
    result = altered(readings.PANES, panes=PANES, windows=(hour, *LONG, day))
    assert result.windows_from_days == LONG
    assert result.windows_from_panes == (hour, day)
    assert result.day_zones == (NEW_YORK, KOLKATA)
    of_days = altered(readings.PANES, panes=Panes("1 day"), windows=(CalendarMonth("UTC"),))
    assert of_days.windows_from_days == () and of_days.windows_from_panes == (CalendarMonth("UTC"),)
