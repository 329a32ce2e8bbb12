"""Lengths of time, written as Spark writes them: "5 minutes", "1 hour", "30 days"."""

import re

from jobs.running.errors import Mistake

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
"""Seconds in each unit. A day here is 24 hours; days of a calendar are windows.CalendarDay."""


def seconds(duration: str) -> int:
    """Length of `duration` in seconds.

    Raises Mistake unless it reads as a positive whole number and one of second, minute, hour, day, week.
    """
    match = re.fullmatch(r"\s*(\d+)\s+([a-z]+?)s?\s*", duration)
    if not match or match[2] not in SECONDS or int(match[1]) == 0:
        raise Mistake(f'"{duration}" is not a duration: write a positive number and a unit, such as "5 minutes"')
    return int(match[1]) * SECONDS[match[2]]
