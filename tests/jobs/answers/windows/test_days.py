"""Days of every zone of the tz database are those that a clock shows which is looked at every quarter of an hour."""

import itertools
import os
import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jobs.answers.windows import CalendarDay, days
from tests.jobs.answers import zones
from tests.jobs.answers.zones import Change

ALL = os.environ.get("ZONES") == "all"
"""Each change of each zone is looked at, which takes minutes; else all that are odd, and a part of the others."""
QUARTER, HOUR, DAY = 900, 3600, 86_400


def second(said: str) -> int:
    return int(datetime.fromisoformat(said + "Z").timestamp())


def shown(zone: str, moment: int) -> int:
    """The local date, as a number."""
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).toordinal()


def check(zone: str, since: int, until: int) -> None:
    """Look at the clock every quarter of an hour; at `since` it has not been set back for two days."""
    probes = np.arange(since // QUARTER, until // QUARTER) * QUARTER
    latest = np.array(list(itertools.accumulate((shown(zone, moment) for moment in probes.tolist()), max)))
    window = CalendarDay(zone)
    starts = window.starts(probes)
    ends = window.ends(starts)
    assert ((starts <= probes) & (probes < ends)).all(), zone
    changes = np.flatnonzero(latest[1:] != latest[:-1]) + 1
    assert np.flatnonzero(starts[1:] != starts[:-1]).tolist() == (changes - 1).tolist(), zone
    assert np.array_equal(starts[changes], ends[changes - 1]), zone
    for place in changes.tolist():  # to the second
        begins, before = int(starts[place]), int(latest[place - 1])
        assert probes[place - 1] < begins <= probes[place]
        assert shown(zone, begins - 1) <= before < shown(zone, begins), (zone, begins)


def is_odd(change: Change) -> bool:
    """Whether clocks show midnight then, jump over it, are changed by much, or stand at no quarter of an hour."""
    first, last = sorted((change.second + change.before, change.second + change.after))
    midnight = last // DAY != (first - 1) // DAY
    return midnight or last - first > 2 * HOUR or bool(change.before % QUARTER or change.after % QUARTER)


def looked_at() -> dict[str, list[Change]]:
    """What changes of each zone are looked at; one that many zones have in one of them, if not ALL."""
    dice, known, found = random.Random(1), set(), {}
    for zone in zones.names():
        mine = [change for change in zones.changes(zone) if ALL or change not in known]
        known.update(mine)
        found[zone] = [change for change in mine if ALL or is_odd(change) or dice.random() < 0.2]
    return found


def test_days_around_each_change_of_clocks_are_those_that_the_clock_shows() -> None:
    looked = looked_at()
    assert sum(map(len, looked.values())) > 2_000
    for zone, changes in looked.items():
        for change in changes:
            check(zone, change.second - 26 * HOUR, change.second + 50 * HOUR)


@pytest.mark.parametrize("year", [2039, 2099, 2404, 9998])
def test_days_of_later_years_go_by_the_rule_of_the_zone(year: int) -> None:
    first = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    alike = {zones.rule(zone): zone for zone in zones.names() if "," in zones.rule(zone)}
    assert len(alike) > 15
    for zone in alike.values():
        moments = range(first, first + 365 * DAY, DAY)
        offsets = [datetime.fromtimestamp(moment, ZoneInfo(zone)).utcoffset() for moment in moments]
        changed = [
            moment for moment, before, after in zip(moments[1:], offsets, offsets[1:], strict=False) if before != after
        ]
        assert len(changed) in (2, 4)
        for moment in changed:
            check(zone, moment - 50 * HOUR, moment + 50 * HOUR)


def test_days_follow_each_other_from_1970_to_9998() -> None:
    dice = random.Random(2)
    every = zones.names() if ALL else [*dice.sample(zones.names(), 20), "Antarctica/Casey", "Pacific/Apia"]
    for zone in every:
        window, years = CalendarDay(zone), [1970, *dice.sample(range(1971, 2038), 5), 2300, 2599, 2600, 9998]
        for year in years:
            moments = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) + np.arange(365 * 4) * 6 * HOUR
            starts = np.unique(window.starts(moments))
            ends = window.ends(starts)
            assert np.array_equal(starts[1:], ends[:-1]), (zone, year)
            assert (ends > starts).all() and len(starts) >= 364


def test_clocks_are_looked_at_more_often_than_they_are_changed_and_changed_back() -> None:
    for zone in zones.names():
        changes = zones.changes(zone)
        for one, other in itertools.pairwise(changes):
            assert other.second - one.second > days.PROBE_SECONDS, (zone, one)
        assert not changes or datetime.fromtimestamp(changes[-1].second, UTC).year < days._RULES_SINCE - 1


CASES = {
    "at 3 o'clock back to 0, of the same day": (
        "Antarctica/Casey",
        ["2023-03-07T13:00", "2023-03-08T13:00", "2023-03-09T16:00", "2023-03-10T16:00"],
    ),
    "at 2 o'clock back to 23 of the day before": (
        "Antarctica/Casey",
        ["2010-03-03T13:00", "2010-03-04T13:00", "2010-03-05T16:00", "2010-03-06T16:00"],
    ),
    "a minute after midnight back by an hour": (
        "America/St_Johns",
        ["2010-11-06T02:30", "2010-11-07T02:30", "2010-11-08T03:30", "2010-11-09T03:30"],
    ),
    "the 30th is skipped": ("Pacific/Apia", ["2011-12-29T10:00", "2011-12-30T10:00", "2011-12-31T10:00"]),
    "the 21st is skipped": ("Pacific/Kwajalein", ["1993-08-20T12:00", "1993-08-21T12:00", "1993-08-22T12:00"]),
    "New Year's Eve is skipped": ("Pacific/Kiritimati", ["1994-12-30T10:00", "1994-12-31T10:00", "1995-01-01T10:00"]),
    "from midnight to 1 o'clock": ("America/Havana", ["2013-03-09T05:00", "2013-03-10T05:00", "2013-03-11T04:00"]),
    "from 1 o'clock back to midnight": (
        "America/Havana",
        ["2013-11-02T04:00", "2013-11-03T04:00", "2013-11-04T05:00"],
    ),
    "an offset with seconds, until midnight of the 7th": (
        "Africa/Monrovia",
        ["1972-01-05T00:44:30", "1972-01-06T00:44:30", "1972-01-07T00:44:30", "1972-01-08T00:00"],
    ),
    "the first of all": ("America/Los_Angeles", ["1969-12-31T08:00", "1970-01-01T08:00", "1970-01-02T08:00"]),
    "a day of 31 hours": ("Antarctica/Vostok", ["1994-01-30T17:00", "1994-02-01T00:00", "1994-02-02T00:00"]),
    "half an hour": ("Australia/Lord_Howe", ["2023-03-31T13:00", "2023-04-01T13:00", "2023-04-02T13:30"]),
}
"""Where days begin, one after the other, as the tz database's sources tell it."""


@pytest.mark.parametrize("case", CASES)
def test_a_day_begins_when_the_date_is_first_shown_and_ends_where_the_next_begins(case: str) -> None:
    zone, bounds = CASES[case][0], np.array([second(said) for said in CASES[case][1]])
    window = CalendarDay(zone)
    for first, after in itertools.pairwise(bounds.tolist()):
        inside = np.array([first, first + 1, (first + after) // 2, after - 1])
        assert window.starts(inside).tolist() == [first] * 4
        assert window.ends(window.starts(inside)).tolist() == [after] * 4
        assert window.first_starts(inside).tolist() == [first] * 4


def test_days_of_far_apart_instants_are_found_together() -> None:
    zone = "America/Havana"
    moments = [datetime(year, month, 3, 12, tzinfo=UTC) for year in (9998, 1970, 2013, 2599) for month in (11, 1, 12)]
    starts = days.starts(zone, np.array([int(moment.timestamp()) for moment in moments]))
    for moment, start in zip(moments, starts.tolist(), strict=True):
        begins = datetime.fromtimestamp(start, ZoneInfo(zone))
        assert (begins.date(), begins.hour) == (date(moment.year, moment.month, 3), 0)
    assert not len(days.starts(zone, np.array([], np.int64))) and not len(days.ends(zone, np.array([], np.int64)))


@pytest.mark.parametrize(
    ("zone", "longest"),
    [
        ("UTC", timedelta(days=1)),
        ("Europe/Berlin", timedelta(hours=1)),
        ("Asia/Kolkata", timedelta(minutes=30)),
        ("Australia/Lord_Howe", timedelta(minutes=30)),
        ("Asia/Kathmandu", timedelta(minutes=15)),
        ("Pacific/Chatham", timedelta(minutes=15)),
        ("America/Guyana", timedelta(minutes=15)),  # by 3 hours and 45 minutes behind UTC until 1975
        ("Africa/Monrovia", timedelta(seconds=30)),
    ],
)
def test_the_longest_pane_that_fits_every_day_is_taken_and_no_longer_one(zone: str, longest: timedelta) -> None:
    seconds = int(longest.total_seconds())
    for part in (1, 2, 3, 5):
        if seconds % part == 0:
            CalendarDay(zone).check(seconds // part)
    for factor in (2, 3, 24):
        with pytest.raises(ValueError, match="inside a pane of") as refused:
            CalendarDay(zone).check(seconds * factor)
        length, unit = (seconds // 60, "minute") if seconds >= 60 else (seconds, "second")
        said = {60: "1 hour", 24 * 60: "1 day"}.get(length, f"{length} {unit}s")
        assert f"Take panes of {said}, the longest" in str(refused.value)


def test_the_day_that_no_pane_fits_is_named() -> None:
    said = (
        "day Africa/Monrovia: a day there begins at 1970-01-01 00:44:30 UTC, inside a pane of 5 minutes. "
        "Take panes of 30 seconds, the longest that fit every day from 1970 on, or of a length that divides it"
    )
    with pytest.raises(ValueError, match="Monrovia") as refused:
        CalendarDay("Africa/Monrovia").check(300)
    assert str(refused.value) == said


@pytest.mark.parametrize(
    "name",
    ["America/Newyork", "../etc/passwd", "", "Europe", "Europe/", "a" * 5000, "localtime", "right/Europe/Berlin"],
)
def test_what_is_no_zone_of_the_tz_database_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone of this name"):
        CalendarDay(name).check(300)
