"""Which values are times, and how they are written: texts of ISO-8601, or numbers since 1970 in a unit."""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from jobs.events.event_time import UNITS

YEARS_2000_TO_2100 = (946_684_800, 4_102_444_800)
"""In seconds since 1970: numbers between them, in some unit, look like times."""
NEARLY_ALL = 0.9
"""So many of the texts of a field, as a part of all, must be times for it to be one of times."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ZONED = re.compile(r".*(Z|[+-]\d\d:\d\d)")


def unit(values: Sequence[Any], units: Iterable[str] = UNITS) -> str | None:
    """The unit in which nearly all these numbers are times of this century, of the largest unit that fits; None: in
    none.
    """
    least = NEARLY_ALL * len(values)
    return next((name for name in units if sum(is_in_unit(value, name) for value in values) >= least > 0), None)


def is_in_unit(number: Any, name: str) -> bool:
    """Whether a number since 1970 in this unit is a time of this century."""
    first, end = YEARS_2000_TO_2100
    return bool(first * UNITS[name] <= number < end * UNITS[name])


def is_time(text: str) -> bool:
    """Whether it is a date with a time of day, with a zone or without, that there is."""
    return bool(_TIME.fullmatch(text)) and _is_in_calendar(text)


def is_date(text: str) -> bool:
    """Whether it is a date that there is."""
    return bool(_DATE.fullmatch(text)) and _is_in_calendar(text)


def those_of_most(texts: Sequence[str], form: Callable[[str], bool]) -> list[str]:
    """Those of the form, if nearly all are: a few odd ones do not hide what a field is. Else none."""
    found = [text for text in texts if form(text)]
    return found if len(found) >= NEARLY_ALL * len(texts) else []


def have_zones(texts: Sequence[str]) -> bool:
    """Whether each of these times says its zone."""
    return all(map(_ZONED.fullmatch, texts))


def _is_in_calendar(text: str) -> bool:
    try:
        return bool(datetime.fromisoformat(text))
    except ValueError:
        return False
