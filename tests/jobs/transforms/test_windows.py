"""Windows hold the panes that the calendar says, and refuse sizes that panes cannot fill."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from jobs.transforms.windows import CalendarDay, Hopping, Tumbling

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


@pytest.mark.parametrize(
    ("window", "every_seconds", "said"),
    [
        (Tumbling("7 minutes"), 300, "whole number of panes"),
        (Tumbling("1 minute"), 300, "whole number of panes"),
        (Hopping("1 hour", every="7 minutes"), 60, "whole number of hops"),
        (Hopping("1 hour", every="10 minutes"), 900, "hop of panes"),
        (Hopping("5 minutes", every="10 minutes"), 300, "whole number of hops"),
        (CalendarDay("America/Newyork"), 300, "no time zone"),
        (CalendarDay("../etc/passwd"), 300, "no time zone"),
        (CalendarDay(""), 300, "no time zone"),
        (CalendarDay("Asia/Kolkata"), 3600, "midnight there falls inside a pane"),
        (CalendarDay("Asia/Kathmandu"), 1800, "midnight there falls inside a pane"),
        (CalendarDay("America/New_York"), 7200, "midnight there falls inside a pane"),
        (Tumbling("an hour"), 300, "not a duration"),
        (Tumbling("0 minutes"), 300, "not a duration"),
    ],
)
def test_sizes_that_panes_cannot_fill_are_refused(
    window: Tumbling | Hopping | CalendarDay, every_seconds: int, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        window.check(every_seconds)


def test_sizes_that_panes_fill_are_taken() -> None:
    for window in (Tumbling("1 hour"), Hopping("1 hour", "10 minutes"), CalendarDay("Asia/Kolkata")):
        window.check(300)
