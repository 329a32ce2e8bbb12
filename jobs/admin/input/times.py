"""Times of records as they are written: ISO-8601 with a zone, or a number since the epoch in some unit."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from jobs.running.instants import EPOCH, to_micros


class Unit(StrEnum):
    """Unit of a number since the epoch, 1970-01-01 00:00 UTC."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"
    NANOSECONDS = "nanoseconds"


PER_SECOND = {
    Unit.SECONDS: 1,
    Unit.MILLISECONDS: 1000,
    Unit.MICROSECONDS: 1_000_000,
    Unit.NANOSECONDS: 1_000_000_000,
}
MOST_SECONDS = 10**11
"""Without a unit, a number below this is seconds, from it on milliseconds."""
PLAUSIBLE_SECONDS = tuple(int((datetime(year, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()) for year in (1980, 2100))
"""Between these a guessed time is believed."""
CALENDAR = tuple(map(to_micros, (datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC))))
"""The first and the last microsecond of the years 1 to 9999."""
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?")


def microseconds(field: Any, unit: Unit | None = None) -> int:
    """A time as microseconds since the epoch: a text or a number. Raises ValueError, with a reason that shows no value.

    A text is ISO-8601 with a zone, or the digits of a number. A number is in `unit`. Without one it is seconds if it is
    below 10 ** 11, else milliseconds, and the time has to be in the years 1980 to 2099; 0 is the epoch in any unit.
    """
    text = field if isinstance(field, str) else json.dumps(field)
    if NUMBER.fullmatch(text):
        number = Decimal(text)
        moment = round(number * 1_000_000 / PER_SECOND[unit or _guess_unit(number)])
    else:
        moment = _iso(text)
    if not CALENDAR[0] <= moment <= CALENDAR[1]:
        raise ValueError("the timestamp is beyond the calendar: check --timestamp-unit")
    return moment


def _guess_unit(number: Decimal) -> Unit:
    unit = Unit.SECONDS if abs(number) < MOST_SECONDS else Unit.MILLISECONDS
    if number == 0 or _is_plausible(number, unit):
        return unit
    others = [other for other in Unit if _is_plausible(number, other)]
    hint = f"--timestamp-unit {others[0]} would fit" if others else "say what it is with --timestamp-unit"
    raise ValueError(f"the timestamp, taken for {unit}, is before 1980 or after 2099: {hint}")


def _is_plausible(number: Decimal, unit: Unit) -> bool:
    return PLAUSIBLE_SECONDS[0] <= number / PER_SECOND[unit] < PLAUSIBLE_SECONDS[1]


def _iso(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("the timestamp is not ISO-8601 or a number: check --timestamp") from None
    if time.tzinfo is None:
        raise ValueError("the timestamp has no zone, such as Z or +01:00")
    return to_micros(time)
