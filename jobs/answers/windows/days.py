"""When each day of a time zone begins: what decides which day an instant belongs to, and where that day ends.

A day begins at the first instant at which the local date is that day or later, and ends where the next one begins. So
days follow each other without a gap, whatever clocks do: a date that comes twice belongs to the day that has begun,
and a date that is skipped has no day. A week begins where its Monday does, a month or a year where its first day does;
or where the next day does, if that date is skipped.

An hour begins whenever the clock shows a full hour. Where clocks are put forward or back by a part of an hour, one
begins then too: on Lord Howe Island the clock goes back from 2:00 to 1:30, so an hour of 60 minutes is followed by one
of 30.
"""

from bisect import bisect_left
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

HOUR_SECONDS, DAY_SECONDS = 3_600, 86_400

Period = Literal["hour", "day", "week", "month", "year"]

PROBE_SECONDS = 3 * DAY_SECONDS
"""How often a zone's offset is looked up. Nowhere since 1968 was it changed and changed back in less than six days."""

_RULES_SINCE = 2200
"""By then each zone follows a yearly rule, which repeats with the calendar: every 400 years, which are 146,097 days."""
_REPEAT_YEARS, _REPEAT_SECONDS = 400, 146_097 * DAY_SECONDS

_WEEKDAY_OF_1970 = 3
"""1970 began on a Thursday; Monday is 0."""

_LOCAL_NAMES = ("localtime", "posixrules", "posix", "right")
"""Names beside the zones of the tz database that mean something else, or nothing, on another machine."""


def is_zone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        return False
    return name.split("/")[0] not in _LOCAL_NAMES


def starts(zone: str, seconds: np.ndarray, period: Period = "day") -> np.ndarray:
    """Start of the period that holds each instant, all in seconds since 1970 UTC."""
    begins = _nearby_starts(zone, seconds, period)
    holding: np.ndarray = begins[np.searchsorted(begins, seconds, side="right") - 1]
    return holding


def ends(zone: str, seconds: np.ndarray, period: Period = "day") -> np.ndarray:
    """End of the period that holds each instant, all in seconds since 1970 UTC."""
    begins = _nearby_starts(zone, seconds, period)
    following: np.ndarray = begins[np.searchsorted(begins, seconds, side="right")]
    return following


def all_starts(zone: str, period: Period = "day") -> np.ndarray:
    """Starts of the periods of 1970 to 2037, as the tz database lists them, and of a year in which its rules go on."""
    years = (*range(1970, 2038), _RULES_SINCE)
    begins = np.concatenate([_period_starts(zone, year, period) for year in years])
    return begins[begins >= 0]


def _nearby_starts(zone: str, seconds: np.ndarray, period: Period) -> np.ndarray:
    """Starts, in order, of the periods in the years of these instants, and in those before and after."""
    years = np.unique(seconds.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64)) + 1970
    # Where clocks are ahead of UTC, the last instants of a year belong to the next, which ends a year later.
    last = 2 if period == "year" else 1
    near = sorted(set(chain.from_iterable(range(year - 1, year + last + 1) for year in years.tolist())))
    return np.concatenate([np.empty(0, np.int64), *(_period_starts(zone, year, period) for year in near)])


def _period_starts(zone: str, year: int, period: Period) -> np.ndarray:
    """Start of each period that begins with a date of the year; of each hour that begins in the year of UTC."""
    if period == "hour":
        return _hour_starts(zone, year)
    dates = _dates(year)
    first = np.ones(len(dates), bool)
    if period == "year":
        first[1:] = False
    if period == "week":
        first = (dates + _WEEKDAY_OF_1970) % 7 == 0
    if period == "month":
        first = dates.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) == dates
    begins: np.ndarray = _day_starts(zone, year)[first]
    return begins


def _dates(year: int) -> np.ndarray:
    """The dates of the year, in days since 1970."""
    bounds = np.array([year - 1970, year - 1969]).astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    return np.arange(*bounds)


@lru_cache(maxsize=1024)
def _day_starts(zone: str, year: int) -> np.ndarray:
    """Start of each date of the year. A skipped date starts where the next one does, and so holds no instant."""
    if year >= _RULES_SINCE + _REPEAT_YEARS:
        repeats = (year - _RULES_SINCE) // _REPEAT_YEARS
        return _day_starts(zone, year - repeats * _REPEAT_YEARS) + repeats * _REPEAT_SECONDS
    midnights = _dates(year) * DAY_SECONDS
    # Clocks are less than a day ahead of UTC or behind it, so two days before and after are enough.
    since, until = int(midnights[0]) - 2 * DAY_SECONDS, int(midnights[-1]) + 2 * DAY_SECONDS
    begins, ahead = _spans(zone, since, until)
    # The latest local time that clocks have shown by the end of each span: a midnight lies in the first that passes it.
    latest = np.maximum.accumulate(np.append(begins[1:], until) + ahead)
    span = np.searchsorted(latest, midnights, side="right")
    instants: np.ndarray = np.maximum(begins[span], midnights - ahead[span])
    return instants


@lru_cache(maxsize=128)
def _hour_starts(zone: str, year: int) -> np.ndarray:
    """Start of each hour of the year of UTC."""
    if year >= _RULES_SINCE + _REPEAT_YEARS:
        repeats = (year - _RULES_SINCE) // _REPEAT_YEARS
        return _hour_starts(zone, year - repeats * _REPEAT_YEARS) + repeats * _REPEAT_SECONDS
    dates = _dates(year)
    since, until = int(dates[0]) * DAY_SECONDS, (int(dates[-1]) + 1) * DAY_SECONDS
    begins, ahead = _spans(zone, since - DAY_SECONDS, until)  # so that a change at the very start is seen
    spans = zip(begins.tolist(), [*begins[1:].tolist(), until], ahead.tolist(), strict=True)
    full = [np.arange(begin + -(begin + offset) % HOUR_SECONDS, end, HOUR_SECONDS) for begin, end, offset in spans]
    by_a_part = begins[1:][np.diff(ahead) % HOUR_SECONDS != 0]
    starts = np.unique(np.concatenate([*full, by_a_part]))
    within: np.ndarray = starts[starts >= since]
    return within


def _spans(zone: str, since: int, until: int) -> tuple[np.ndarray, np.ndarray]:
    """Spans of time with one offset each: where it begins, and by how many seconds clocks are ahead of UTC."""
    clock = ZoneInfo(zone)

    def ahead(second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, clock).utcoffset()

    def first_change(after: int, probe: int) -> int:
        """The first second, up to `probe`, at which clocks are no longer as at `after`."""
        before = ahead(after)
        return after + bisect_left(range(after, probe), True, key=lambda second: ahead(second) != before)

    begins, offsets = [since], [ahead(since)]
    for probe in (*range(since + PROBE_SECONDS, until, PROBE_SECONDS), until):
        while ahead(probe) != offsets[-1]:
            begins.append(first_change(max(begins[-1], probe - PROBE_SECONDS), probe))
            offsets.append(ahead(begins[-1]))
    return np.array(begins, np.int64), np.array(offsets, "timedelta64[s]").astype(np.int64)
