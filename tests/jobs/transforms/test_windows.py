"""Windows hold the panes that the calendar says, and refuse sizes that panes cannot fill."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

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


def spans(spark: SparkSession, window: Tumbling | Hopping | CalendarDay) -> list[list[tuple[datetime, datetime]]]:
    """For each of STARTS the windows of the pane there."""
    seconds = [(int(start.timestamp()),) for start in STARTS]
    frame = spark.createDataFrame(seconds, "second long").coalesce(1)
    found = frame.select("second", window.spans(F.timestamp_seconds("second")).alias("spans")).select(
        F.transform(
            "spans", lambda s: F.struct(s.window, F.unix_seconds(s.window_start), F.unix_seconds(s.window_end))
        ).alias("spans")
    )
    rows = [row.spans for row in found.collect()]
    assert {span[0] for row in rows for span in row} == {window.name}
    return [[(datetime.fromtimestamp(s[1], UTC), datetime.fromtimestamp(s[2], UTC)) for s in row] for row in rows]


def test_days_of_a_zone_are_23_and_25_hours_long_when_clocks_change(spark: SparkSession) -> None:
    found = spans(spark, CalendarDay("America/New_York"))
    for start, windows in zip(STARTS, found, strict=True):
        day = start.astimezone(NEW_YORK).date()
        midnights = [datetime(d.year, d.month, d.day, tzinfo=NEW_YORK) for d in (day, day + timedelta(days=1))]
        assert windows == [tuple(midnight.astimezone(UTC) for midnight in midnights)]
    lengths = [(end - start).total_seconds() / 3600 for ((start, end),) in found]
    assert lengths == [24, 23, 23, 24, 24, 25, 25, 24, 24]


def test_a_pane_is_in_every_hopping_window_over_it(spark: SparkSession) -> None:
    found = spans(spark, Hopping("1 hour", every="15 minutes"))
    for start, windows in zip(STARTS, found, strict=True):
        quarter = start.replace(minute=start.minute - start.minute % 15)
        firsts = [quarter - timedelta(minutes=15 * back) for back in (3, 2, 1, 0)]
        assert windows == [(first, first + timedelta(hours=1)) for first in firsts]
        assert all(first <= start < end for first, end in windows)


def test_a_pane_is_in_one_tumbling_window(spark: SparkSession) -> None:
    for start, windows in zip(STARTS, spans(spark, Tumbling("6 hours")), strict=True):
        first = start.replace(hour=start.hour // 6 * 6, minute=0)
        assert windows == [(first, first + timedelta(hours=6))]


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
