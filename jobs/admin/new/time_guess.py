"""Which values are times, and how they are written: texts of ISO-8601, or numbers since 1970 in a unit."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from jobs.events.event_time import UNITS

YEARS_2000_TO_2100 = (946_684_800, 4_102_444_800)
"""In seconds since 1970: numbers between them, in some unit, look like times."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_ZONED = re.compile(r".*(Z|[+-]\d\d:\d\d)")


def unit(values: Sequence[Any], units: Iterable[str] = UNITS) -> str | None:
    """The unit in which all these numbers are times of this century, of the largest unit that fits; None: in none."""
    first, end = YEARS_2000_TO_2100
    fits = (name for name in units if all(first * UNITS[name] <= value < end * UNITS[name] for value in values))
    return next(fits, None) if values else None


def are_times(texts: Sequence[str]) -> bool:
    """Whether all are a date with a time of day, with a zone or without, that there is."""
    return bool(texts) and all(map(_TIME.fullmatch, texts)) and _are_in_calendar(texts)


def are_dates(texts: Sequence[str]) -> bool:
    """Whether all are a date."""
    return bool(texts) and all(map(_DATE.fullmatch, texts)) and _are_in_calendar(texts)


def have_zones(texts: Sequence[str]) -> bool:
    """Whether each of these times says its zone."""
    return all(map(_ZONED.fullmatch, texts))


def _are_in_calendar(texts: Sequence[str]) -> bool:
    try:
        return all(datetime.fromisoformat(text) for text in texts)
    except ValueError:
        return False
