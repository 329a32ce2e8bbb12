"""A result over weeks and months with sums and deviations, and what must come of a log, in plain Python."""

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from jobs.answers.windows import CalendarMonth, CalendarWeek
from jobs.facts.panes import Panes
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.readings import Record
from tests.jobs.keeping.world import World

ZONE = "America/New_York"
NAMES = ("reading", "level", "amount")
PERIODS = altered(
    readings.PANES,
    name="periods_v1",
    panes=Panes("1 hour", ("site",), averages=("level",), sums=NAMES, deviations=NAMES),
    windows=(CalendarWeek(ZONE), CalendarMonth(ZONE)),
)
LOG = readings.only_good(readings.log(seed=11, each=24))
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
        found[tuple(row[name] for name in ("window_kind", "window_start", "window_end", "site"))] = said
    assert len(found) == len(rows)
    return found


def check(world: World) -> None:
    due, found = expected(world.written), published(world)
    assert found.keys() == due.keys()
    for key, row in found.items():
        for name, value in row.items():
            exact = name in ("records", "reading_sum", "amount_sum") or value is None
            assert value == (due[key][name] if exact else pytest.approx(due[key][name], rel=1e-12)), (key, name)
