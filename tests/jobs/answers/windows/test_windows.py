"""Windows hold the panes that the calendar says, and refuse sizes that panes cannot fill."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jobs.answers import windows
from jobs.answers.windows import CalendarDay, Hopping, Tumbling
from jobs.running.errors import Mistake

NEW_YORK = ZoneInfo("America/New_York")
STARTS = [
    datetime(2013, 3, 10, 4, 30, tzinfo=UTC),  # half an hour before the day of 23 hours
    datetime(2013, 3, 10, 5, 0, tzinfo=UTC),
    datetime(2013, 3, 11, 3, 55, tzinfo=UTC),
    datetime(2013, 3, 11, 4, 0, tzinfo=UTC),
    datetime(2013, 11, 3, 3, 55, tzinfo=UTC),
    datetime(2013, 11, 3, 4, 0, tzinfo=UTC),  # the day of 25 hours begins
    datetime(2013, 11, 4, 4, 55, tzinfo=UTC),
    datetime(2013, 11, 4, 5, 0, tzinfo=UTC),
    datetime(1970, 1, 1, 0, 0, tzinfo=UTC),
]


def spans(window: Tumbling | Hopping | CalendarDay) -> list[tuple[datetime, datetime]]:
    """For each of STARTS the last window of the pane there."""
    starts = window.starts(np.array([int(start.timestamp()) for start in STARTS]))
    both = zip(starts.tolist(), window.ends(starts).tolist(), strict=True)
    return [(datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(after, UTC)) for first, after in both]


def test_days_of_a_zone_are_23_and_25_hours_long_when_clocks_change() -> None:
    found = spans(CalendarDay("America/New_York"))
    for start, window in zip(STARTS, found, strict=True):
        day = start.astimezone(NEW_YORK).date()
        midnights = [datetime(d.year, d.month, d.day, tzinfo=NEW_YORK) for d in (day, day + timedelta(days=1))]
        assert window == tuple(midnight.astimezone(UTC) for midnight in midnights)
    lengths = [(end - start).total_seconds() / 3600 for start, end in found]
    assert lengths == [24, 23, 23, 24, 24, 25, 25, 24, 24]


def test_a_day_begins_though_clocks_skip_midnight_or_show_it_twice() -> None:
    """Havana: on 2013-03-10 the clock goes from 00:00 to 01:00, on 2013-11-03 from 01:00 back to 00:00."""
    noons = [datetime(2013, month, day, 17, tzinfo=UTC) for month, day in ((3, 10), (11, 3))]
    day = CalendarDay("America/Havana")
    starts = day.starts(np.array([int(noon.timestamp()) for noon in noons]))
    begun = [datetime.fromtimestamp(second, UTC) for second in starts.tolist()]
    assert begun == [datetime(2013, 3, 10, 5, tzinfo=UTC), datetime(2013, 11, 3, 4, tzinfo=UTC)]
    assert ((day.ends(starts) - starts) / 3600).tolist() == [23, 25]


def test_a_pane_is_in_the_hopping_window_that_begins_last() -> None:
    window = Hopping("1 hour", every="15 minutes")
    assert window.depth == 4
    for start, (first, after) in zip(STARTS, spans(window), strict=True):
        assert first == start.replace(minute=start.minute - start.minute % 15)
        assert after == first + timedelta(hours=1)


def test_a_pane_is_in_one_tumbling_window() -> None:
    for start, window in zip(STARTS, spans(Tumbling("6 hours")), strict=True):
        first = start.replace(hour=start.hour // 6 * 6, minute=0)
        assert window == (first, first + timedelta(hours=6))


def test_the_first_window_and_the_last_end_bound_every_window_of_a_pane() -> None:
    """Against a look at every multiple of a quarter of an hour as a start."""
    kinds: dict[windows.Window, tuple[int, int]] = {
        Tumbling("6 hours"): (6 * 3600, 6 * 3600),
        Hopping("2 hours", every="30 minutes"): (2 * 3600, 1800),
        Hopping("1 hour", every="1 hour"): (3600, 3600),
    }
    for moment in STARTS:
        second = int(moment.timestamp())
        firsts, lasts = [], []
        for window, (size, hop) in kinds.items():
            begun = [start for start in range(second // 3600 * 3600 - 8 * 3600, second + 1, 900) if start % hop == 0]
            holding = [start for start in begun if start <= second < start + size]
            assert windows.first_start((window,), second) == holding[0]
            assert windows.last_end((window,), second) == holding[-1] + size
            firsts.append(holding[0])
            lasts.append(holding[-1] + size)
        assert windows.first_start(tuple(kinds), second) == min(firsts)
        assert windows.last_end(tuple(kinds), second) == max(lasts)


def test_a_window_reaches_as_far_as_a_day_is_long() -> None:
    """Casey, 2023-03-09: at 3 o'clock back to 0, so 27 hours."""
    some = (Tumbling("1 hour"), CalendarDay("Antarctica/Casey"))
    begins, ends = (datetime(2023, 3, day, hour, tzinfo=UTC) for day, hour in ((8, 13), (9, 16)))
    last = int((ends - timedelta(minutes=30)).timestamp())
    assert windows.first_start(some, last) == begins.timestamp()
    assert windows.last_end(some, int(begins.timestamp())) == ends.timestamp()


@pytest.mark.parametrize(
    ("window", "every_seconds", "said"),
    [
        (
            Tumbling("7 minutes"),
            300,
            "tumbling 7 minutes: the size of 7 minutes is not a whole number of panes of 5 minutes. "
            "Take a size that is a multiple of 5 minutes, or panes of 1 minute",
        ),
        (Tumbling("1 minute"), 300, "not a whole number of panes of 5 minutes"),
        (Tumbling("1 week"), 5 * 86_400, "the size of 1 week is not a whole number of panes of 5 days. Take a size"),
        (Tumbling("90 minutes"), 3600, "multiple of 1 hour, or panes of 30 minutes"),
        (
            Hopping("1 hour", every="25 minutes"),
            600,
            "hopping 1 hour every 25 minutes: the hop of 25 minutes is not a whole number of panes of 10 minutes. "
            "Take a hop that is a multiple of 10 minutes, or panes of 5 minutes",
        ),
        (
            Hopping("16 seconds", every="7 seconds"),
            7,
            "hopping 16 seconds every 7 seconds: the size of 16 seconds is not a whole number of panes of 7 seconds. "
            "Take a size that is a multiple of 7 seconds, or panes of 1 second",
        ),
        (
            Hopping("1 hour", every="30 minutes", offset="4 minutes"),
            300,
            "hopping 1 hour every 30 minutes offset 4 minutes: the offset of 4 minutes is not a whole number of panes "
            "of 5 minutes. Take an offset that is a multiple of 5 minutes, or panes of 1 minute",
        ),
        (
            Hopping("1 hour", every="25 minutes", offset="50 minutes"),
            300,
            "hopping 1 hour every 25 minutes offset 50 minutes: the offset must be shorter than the hop of 25 minutes: "
            "leave the offset out",
        ),
        (
            Hopping("1 hour", every="25 minutes", offset="1 hour"),
            300,
            'must be shorter than the hop of 25 minutes: the same windows have offset="10 minutes"',
        ),
        (Hopping("1 hour", every="25 minutes", offset="none"), 300, '"none" is not a duration'),
        (
            Tumbling("1 hour", offset="20 minutes"),
            900,
            "tumbling 1 hour offset 20 minutes: the offset of 20 minutes is not a whole number of panes of 15 minutes. "
            "Take an offset that is a multiple of 15 minutes, or panes of 5 minutes",
        ),
        (Tumbling("1 hour", offset="90 minutes"), 900, 'than the size of 1 hour: the same windows have offset="30 min'),
        (
            Hopping("1 hour", every="10 minutes"),
            900,
            "hopping 1 hour every 10 minutes: the hop of 10 minutes is not a whole number of panes of 15 minutes. "
            "Take a hop that is a multiple of 15 minutes, or panes of 5 minutes",
        ),
        (
            Hopping("5 minutes", every="10 minutes"),
            300,
            "hopping 5 minutes every 10 minutes: the size of 5 minutes is shorter than the hop of 10 minutes, so some "
            "records would be in no window. Take a size of 10 minutes or more, or a hop of 5 minutes or less",
        ),
        (CalendarDay("Asia/Kolkata"), 3600, "at 1970-01-01 18:30:00 UTC, inside a pane of 1 hour. Take panes of 30"),
        (CalendarDay("America/New_York"), 7200, "inside a pane of 2 hours. Take panes of 1 hour, the longest that fit"),
        (Tumbling("an hour"), 300, '"an hour" is not a duration: write a positive whole number and one of second, min'),
        (Tumbling("0 minutes"), 300, "not a duration"),
        (Tumbling("1.5 hours"), 300, "not a duration: write a positive whole number"),
        (Tumbling("1 month"), 300, "months and years have no fixed length. Write days or weeks, such as"),
        (Hopping("2 Years", every="1 day"), 300, "months and years have no fixed length"),
        (Tumbling("500 milliseconds"), 1, "the shortest is a second. Write whole seconds"),
        (Tumbling("500 ms"), 1, "the shortest is a second. Write whole seconds"),
        (Tumbling("999999999999999999999 weeks"), 300, "is too long: write 100,000 days or less"),
        (Tumbling("100001 days"), 300, "is too long"),
        (Tumbling(3600), 300, '"3600" is not a duration'),  # type: ignore[arg-type]
    ],
)
def test_sizes_that_panes_cannot_fill_are_refused(
    window: Tumbling | Hopping | CalendarDay, every_seconds: int, said: str
) -> None:
    with pytest.raises(ValueError) as refused:
        window.check(every_seconds)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("window", "longest_seconds"),
    [
        (Tumbling("1 hour"), 3600),
        (Tumbling("90 seconds"), 90),
        (Hopping("1 hour", "10 minutes"), 600),
        (Hopping("1 hour", "25 minutes"), 300),
        (Hopping("1 hour", "25 minutes", offset="90 seconds"), 30),
        (Tumbling("1 hour", offset="15 minutes"), 900),
        (CalendarDay("Asia/Kolkata"), 1800),
        (CalendarDay("UTC"), 86_400),
    ],
)
def test_panes_that_fill_a_size_are_taken_up_to_the_longest(
    window: Tumbling | Hopping | CalendarDay, longest_seconds: int
) -> None:
    for divisor in (1, 2, 3, 5):
        assert not longest_seconds % divisor
        window.check(longest_seconds // divisor)
    with pytest.raises(Mistake):
        window.check(2 * longest_seconds)


def test_a_week_begins_on_thursday() -> None:
    window = Tumbling("1 week")
    window.check(86_400)
    starts = window.starts(np.array([int(datetime(2024, 5, day, 7, tzinfo=UTC).timestamp()) for day in (1, 2, 8, 9)]))
    found = [datetime.fromtimestamp(start, UTC) for start in starts.tolist()]
    assert [f"{moment:%a %d %b %H}" for moment in found] == [
        "Thu 25 Apr 00",
        "Thu 02 May 00",
        "Thu 02 May 00",
        "Thu 09 May 00",
    ]


def test_the_longest_window_of_the_last_year_and_of_the_first_second_is_no_overflow() -> None:
    ends = (0, int(datetime(9998, 12, 31, 23, 59, tzinfo=UTC).timestamp()))
    for window in (
        Tumbling("100000 days"),
        Hopping("100000 days", "1 day"),
        CalendarDay("Pacific/Kiritimati"),
        CalendarDay("Etc/GMT+12"),
    ):
        for second in ends:
            assert windows.first_start((window,), second) <= second < windows.last_end((window,), second)
