"""Lengths of time, written as Spark writes them: "5 minutes", "1 hour", "30 days"."""

import re

from jobs.running.errors import Mistake

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
"""Seconds in each unit. A day here is 24 hours; days of a calendar are windows.CalendarDay."""

LONGEST_DAYS = 100_000
"""With this bound a window that holds 1970 begins after 1677, the earliest time in a query of DataFusion."""

_REMEDIES = {
    "(month|quarter|year)s?": 'months and years have no fixed length. Write days or weeks, such as "30 days"',
    "(milli|micro|nano)(second)?s?|[mun]s": 'the shortest is a second. Write whole seconds, such as "1 second"',
}
"""What to write instead, by the unit that was written."""


def seconds(duration: str) -> int:
    """Length of `duration` in seconds.

    Raises Mistake unless it reads as a positive whole number and one of second, minute, hour, day, week, and is not
    longer than LONGEST_DAYS.
    """
    match = re.fullmatch(r"\s*([0-9]+)\s+([a-z]+?)s?\s*", duration) if isinstance(duration, str) else None
    if not match or match[2] not in SECONDS or not match[1].strip("0"):
        raise Mistake(f'"{duration}" is not a duration: {_remedy(str(duration))}')
    if len(match[1]) > 18 or int(match[1]) * SECONDS[match[2]] > LONGEST_DAYS * SECONDS["day"]:
        raise Mistake(f'"{duration}" is too long: write {LONGEST_DAYS:,} days or less')
    return int(match[1]) * SECONDS[match[2]]


def _remedy(duration: str) -> str:
    """What to write in its place."""
    for unit, remedy in _REMEDIES.items():
        if re.search(rf"\b({unit})\s*$", duration.lower()):
            return remedy
    return f'write a positive whole number and one of {", ".join(SECONDS)}, such as "5 minutes"'


def text(seconds: int) -> str:
    """A length as `seconds` reads it, in the largest unit that makes a whole number: 5400 is "90 minutes"."""
    unit = max((name for name in SECONDS if seconds % SECONDS[name] == 0), key=lambda name: SECONDS[name])
    count = seconds // SECONDS[unit]
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
