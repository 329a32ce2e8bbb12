"""Sums and deviations of weeks and months are those of the log, however it is cut and whatever goes wrong meanwhile."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession

from jobs.answers.windows import CalendarMonth, CalendarWeek
from jobs.facts.panes import Panes
from tests.jobs.keeping import readings
from tests.jobs.keeping.readings import Record
from tests.jobs.keeping.test_the_cut_does_not_matter import World

ZONE = "America/New_York"
NAMES = ("reading", "level", "amount")
PERIODS = replace(
    readings.PANES,
    name="periods_v1",
    panes=Panes("1 hour", ("site",), averages=("level",), sums=NAMES, deviations=NAMES),
    windows=(CalendarWeek(ZONE), CalendarMonth(ZONE)),
)
LOG = readings.log(seed=11, each=24)
"""From 9 March on, a Saturday, over weeks."""


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(ZONE)).astimezone(UTC)


def spans(moment: datetime) -> Iterable[tuple[str, datetime, datetime]]:
    day = moment.astimezone(ZoneInfo(ZONE)).date()
    monday, first = day - timedelta(days=day.weekday()), day.replace(day=1)
    yield f"week {ZONE}", midnight(monday), midnight(monday + timedelta(days=7))
    yield f"month {ZONE}", midnight(first), midnight((first + timedelta(days=31)).replace(day=1))


def expected(written: list[Record]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """By window and site: the records, and of each number sum and deviation."""
    inside = defaultdict(list)
    for good in (record.good for record in written if record.good and record.good["site"] != "test"):
        for span in spans(good["taken_time"]):
            inside[*span, good["site"]].append(good)
    found = {}
    for key, some in inside.items():
        said: dict[str, Any] = {"records": len(some)}
        for name in NAMES:
            values = [Fraction(good[name]) for good in some if good[name] is not None]
            total, count = sum(values), len(values)
            said[f"{name}_sum"] = total if values else None
            squares = sum((value - total / count) ** 2 for value in values) if values else 0
            said[f"{name}_stddev"] = math.sqrt(squares / (count - 1)) if count > 1 else None
        found[key] = said
    return found


def published(world: World) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = world.rows()
    found = {}
    for row in rows:
        said = {"records": row["records"]} | {f"{name}_stddev": row[f"{name}_stddev"] for name in NAMES}
        for name in NAMES:
            value = row[f"{name}_sum"] if row[f"{name}_sum"] is not None else row.get(f"{name}_sum_beyond")
            said[f"{name}_sum"] = None if value is None else Fraction(value)
        found[tuple(row[name] for name in ("window", "window_start", "window_end", "site"))] = said
    assert len(found) == len(rows)
    return found


def check(world: World) -> None:
    due, found = expected(world.written), published(world)
    assert found.keys() == due.keys()
    for key, row in found.items():
        for name, value in row.items():
            exact = name in ("records", "reading_sum", "amount_sum") or value is None
            assert value == (due[key][name] if exact else pytest.approx(due[key][name], rel=1e-12)), (key, name)


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
