"""A result that an earlier version began: may this version go on with its numbers?

Version 0.3.0 adds decimals of more than 28 digits exactly, takes negative zero for zero, and puts records into the days
that the bounds of windows say. Tables in which that makes a difference are refused; the others go on as they are.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from jobs.answers.result import RULES, Result
from jobs.answers.windows import CalendarDay
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables
from jobs.running.errors import Refused
from jobs.running.places import Places

EXACT_DIGITS = 28
"""Numbers of more digits were rounded to this many."""
LONGEST_EXACT_DAY = timedelta(hours=26)
"""A longer day was corrected from too few panes."""


def check(places: Places, result: Result, last: Row) -> tuple[str, ...]:
    """Notes for the person who runs a result that an earlier version began; () for any other result.

    Raises Refused if its tables hold numbers that this version would not give.
    """
    if last.definition.get(RULES) == result.definition()[RULES] or not last.end_offsets:
        return ()
    wrong = [*_rounded_columns(places, result), *_negative_zeros(places, result), *_moved_days(places, result)]
    if wrong:
        raise Refused(
            f"{result.name} was begun by an earlier version of headrace, and this one would give other numbers: "
            f"{'; '.join(wrong)}. Give the result a new version in its name, and so a new table."
        )
    return tuple(_notes(result))


def _notes(result: Result) -> Iterator[str]:
    if result.panes and result.panes.uniques:
        yield (
            f"an empty text counts as a value of {', '.join(result.panes.uniques)} from now on, as count(distinct) has "
            "it; windows up to now do not count it. A new version of the result would"
        )
    if result.membership and result.topic.KEY is None:
        yield "seen_before is null for a record without a key from now on; up to now it was true after the first one"


def _rounded_columns(places: Places, result: Result) -> Iterator[str]:
    """Columns of panes that have decimals of so many digits that some may have been lost."""
    panes = delta_tables.find(places.table(result.table("panes"))) if result.panes else None
    if panes is None or not result.panes:
        return
    kinds = {field.name: field.type for field in _schema(panes)}
    for name in result.panes.averages:
        for column in (f"{name}_sum", f"{name}_min", f"{name}_max"):
            kind = kinds.get(column)
            if kind is None or not pa.types.is_decimal(kind) or kind.precision <= EXACT_DIGITS:
                continue
            limit = f"cast('{Decimal(1).scaleb(EXACT_DIGITS - kind.scale):f}' as decimal(38, {kind.scale}))"
            if _query(panes, f'select 1 from it where abs("{column}") >= {limit} limit 1'):
                yield f"{column} has more than {EXACT_DIGITS} digits, which were rounded"


def _negative_zeros(places: Places, result: Result) -> Iterator[str]:
    """Columns of groups that have negative zero as a group of its own."""
    published = delta_tables.find(places.table(result.name)) if result.panes else None
    if published is None or not result.panes:
        return
    kinds = {field.name: field.type for field in _schema(published)}
    for name in result.panes.by:
        # Distinct values would have one zero only; the inverse of the negative one is minus infinity.
        negative = f'select 1 from it where "{name}" = 0 and 1 / "{name}" < 0 limit 1'
        if name in kinds and pa.types.is_floating(kinds[name]) and _query(published, negative):
            yield f"{name} has a group of negative zero beside that of zero"


def _moved_days(places: Places, result: Result) -> Iterator[str]:
    """Days of a zone in which clocks go back over midnight, or that are very long."""
    days = [window for window in result.windows if isinstance(window, CalendarDay)]
    panes = delta_tables.find(places.table(result.table("panes"))) if days else None
    if panes is None:
        return
    rows = _query(panes, "select distinct pane_start from it")
    starts = np.array([int(row["pane_start"].timestamp()) for row in rows], np.int64)
    for window in days:
        zone = ZoneInfo(window.zone)
        dates = [datetime.fromtimestamp(second, zone).date() for second in starts.tolist()]
        before = [int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) for day in dates]
        now = window.starts(starts)
        if (np.array(before, np.int64) != now).any():
            yield f"{window.name}: clocks there go back over midnight, and records were put into the day before"
        elif ((window.ends(now) - now) > LONGEST_EXACT_DAY.total_seconds()).any():
            yield f"{window.name}: has a day of more than 26 hours, which late records corrected from a part of it"


def _schema(table: DeltaTable) -> pa.Schema:
    return pa.schema(table.schema().to_arrow())


def _query(table: DeltaTable, sql: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.table(QueryBuilder().register("it", table).execute(sql).read_all()).to_pylist()
    return rows
