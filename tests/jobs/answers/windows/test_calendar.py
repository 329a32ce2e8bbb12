"""Weeks, months and years of time zones are those that a clock shows which is looked at every quarter of an hour."""

import itertools
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jobs.answers import windows
from jobs.answers.windows import CalendarDay, CalendarMonth, CalendarWeek, CalendarYear, Window

QUARTER = 900
KINDS: dict[str, tuple[Callable[[str], Window], Callable[[date], tuple[int, ...]]]] = {
    "week": (CalendarWeek, lambda day: day.isocalendar()[:2]),
    "month": (CalendarMonth, lambda day: (day.year, day.month)),
    "year": (CalendarYear, lambda day: (day.year,)),
}
"""The windows, and what tells one period from the next, by Python's own calendar."""
YEARS = [
    ("UTC", 2024),
    ("America/New_York", 2013),
    ("Europe/Berlin", 2024),
    ("Asia/Kathmandu", 1986),  # 1 January begins a quarter of an hour late: clocks go from 0:00 to 0:15
    ("Africa/Cairo", 2010),  # Friday, and in Ramadan back and forth again
    ("Africa/Cairo", 2014),
    ("Pacific/Apia", 2011),  # 30 December is skipped
    ("Pacific/Kwajalein", 1993),  # 21 August is skipped
    ("Pacific/Kiritimati", 1994),  # 31 December is skipped
    ("America/Sao_Paulo", 2017),  # from midnight to 1 o'clock, from midnight back to 23 of the day before
    ("Asia/Gaza", 2011),
    ("Asia/Gaza", 2021),
    ("America/Havana", 2013),
    ("America/St_Johns", 2010),  # a minute after midnight back by an hour
    ("Antarctica/Casey", 2010),
    ("Antarctica/Vostok", 1994),  # 1 February begins seven hours late
    ("Africa/Monrovia", 1972),
    ("Australia/Lord_Howe", 2023),
    ("America/Toronto", 2404),
]


def second(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("zone", "year"), YEARS)
def test_weeks_months_and_years_are_those_that_the_clock_shows(kind: str, zone: str, year: int) -> None:
    make, of = KINDS[kind]
    window, clock = make(zone), ZoneInfo(zone)
    probes = np.arange(second(year - 1, 12, 20) // QUARTER, second(year + 1, 1, 12) // QUARTER) * QUARTER
    days = list(itertools.accumulate((datetime.fromtimestamp(s, clock).date() for s in probes.tolist()), max))
    starts = window.starts(probes)
    ends = window.ends(starts)
    assert ((starts <= probes) & (probes < ends)).all()
    assert np.array_equal(window.first_starts(probes), starts)
    periods = [of(day) for day in days]
    changes = [place for place in range(1, len(probes)) if periods[place] != periods[place - 1]]
    assert (np.flatnonzero(starts[1:] != starts[:-1]) + 1).tolist() == changes
    assert len(changes) >= {"week": 54, "month": 13, "year": 2}[kind]
    for place in changes:
        begins = int(starts[place])
        assert ends[place - 1] == begins, "the next one begins where one ends"
        assert probes[place - 1] < begins <= probes[place]
        before, shown = (datetime.fromtimestamp(moment, clock).date() for moment in (begins - 1, begins))
        assert of(before) <= periods[place - 1] < of(shown) == periods[place], "to the second"


def test_a_week_begins_on_monday_and_months_and_years_on_their_first_day() -> None:
    moment = np.array([int(datetime(2024, 5, 15, 7, tzinfo=UTC).timestamp())])
    for window, first, after in (
        (CalendarWeek("Europe/Berlin"), "2024-05-12T22:00", "2024-05-19T22:00"),
        (CalendarMonth("Europe/Berlin"), "2024-04-30T22:00", "2024-05-31T22:00"),
        (CalendarMonth("UTC"), "2024-05-01T00:00", "2024-06-01T00:00"),
        (CalendarYear("Europe/Berlin"), "2023-12-31T23:00", "2024-12-31T23:00"),
        (CalendarYear("Asia/Kolkata"), "2023-12-31T18:30", "2024-12-31T18:30"),
    ):
        starts = window.starts(moment)
        said = [datetime.fromtimestamp(int(s[0]), UTC).isoformat()[:16] for s in (starts, window.ends(starts))]
        assert said == [first, after]
    named = [CalendarWeek("UTC").name, CalendarMonth("Asia/Gaza").name, CalendarYear("Asia/Gaza").name]
    assert named == ["week UTC", "month Asia/Gaza", "year Asia/Gaza"]


def test_clocks_make_a_week_and_a_month_longer_and_shorter() -> None:
    moments = np.array([second(2024, 3, 29), second(2024, 10, 25)])
    for window, hours in ((CalendarWeek("Europe/Berlin"), [167, 169]), (CalendarMonth("Europe/Berlin"), [743, 745])):
        starts = window.starts(moments)
        assert ((window.ends(starts) - starts) / 3600).tolist() == hours


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"])
def test_they_follow_each_other_from_1970_to_9998(zone: str) -> None:
    moments = np.array([second(year, month, 1) for year in (1970, 2037, 2599, 9998) for month in range(1, 13)])
    for window in (CalendarWeek(zone), CalendarMonth(zone), CalendarYear(zone)):
        starts = window.starts(moments)
        assert ((starts <= moments) & (moments < window.ends(starts))).all()
        assert np.array_equal(window.starts(window.ends(starts) - 1), starts)
        assert np.array_equal(window.starts(window.ends(starts)), window.ends(starts))
        local = [datetime.fromtimestamp(s, ZoneInfo(zone)) for s in starts.tolist() if s < second(9998, 12, 1)]
        assert all(moment.hour == 0 for moment in local)
        assert {moment.isoweekday() if isinstance(window, CalendarWeek) else moment.day for moment in local} == {1}
        assert not isinstance(window, CalendarYear) or {moment.month for moment in local} == {1}


def test_they_reach_as_far_as_they_are_long() -> None:
    some = (CalendarDay("UTC"), CalendarWeek("UTC"), CalendarMonth("UTC"))
    assert windows.first_start(some, second(2024, 5, 15)) == second(2024, 5, 1)
    assert windows.last_end(some, second(2024, 5, 15)) == second(2024, 6, 1)
    assert windows.first_start(some, second(2024, 6, 1)) == second(2024, 5, 27), "the week began in May"
    assert windows.last_end(some, second(2024, 12, 31)) == second(2025, 1, 6)


@pytest.mark.parametrize(
    ("window", "every", "said"),
    [
        (CalendarWeek("UTC"), timedelta(days=2), "week UTC: a week there begins at 1970-01-12 00:00:00 UTC, inside "),
        (CalendarWeek("UTC"), timedelta(days=2), "Take panes of 1 day, the longest that fit every week from 1970 on"),
        (CalendarWeek("UTC"), timedelta(days=7), "inside a pane of 1 week. Take panes of 1 day"),
        (CalendarMonth("Asia/Kolkata"), timedelta(hours=1), "a month there begins at 1970-01-31 18:30:00 UTC"),
        (
            CalendarMonth("America/New_York"),
            timedelta(hours=2),
            "Take panes of 1 hour, the longest that fit every",
        ),
        (CalendarMonth("Asia/Kathmandu"), timedelta(minutes=30), "Take panes of 15 minutes, the longest that"),
        (
            CalendarWeek("America/Newyork"),
            timedelta(hours=1),
            "America/Newyork: there is no time zone of this name",
        ),
        (CalendarYear("UTC"), timedelta(days=7), "year UTC: a year there begins at 1971-01-01 00:00:00 UTC, inside a"),
        (CalendarYear("UTC"), timedelta(days=7), "Take panes of 1 day, the longest that fit every year from 1970 on"),
        (CalendarYear("Asia/Kolkata"), timedelta(hours=1), "Take panes of 30 minutes, the longest that fit"),
        (CalendarMonth(""), timedelta(hours=1), "there is no time zone of this name"),
    ],
)
def test_panes_that_do_not_fill_them_are_refused(window: Window, every: timedelta, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        window.check(int(every.total_seconds()))
    assert said in str(refused.value)


def test_panes_that_fill_them_are_taken() -> None:
    for window, every in (
        (CalendarWeek("UTC"), timedelta(days=1)),
        (CalendarMonth("UTC"), timedelta(hours=12)),
        (CalendarWeek("America/New_York"), timedelta(hours=1)),
        (CalendarYear("America/New_York"), timedelta(hours=1)),
        (CalendarMonth("Asia/Kathmandu"), timedelta(minutes=15)),
    ):
        window.check(int(every.total_seconds()))
