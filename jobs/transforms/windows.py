"""Windows as values: each says which windows a pane belongs to; a window's row is the merge of its panes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.transforms import durations, panes
from jobs.transforms.panes import Panes


def _span(name: str, start: Column, end: Column) -> Column:
    return F.struct(F.lit(name).alias("window"), start.alias("window_start"), end.alias("window_end"))


@dataclass(frozen=True)
class Tumbling:
    """Windows side by side, each `size` long, from multiples of `size` since 1970 UTC. Labelled "tumbling SIZE"."""

    size: str
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the dear part of a window that overlaps others."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"tumbling {self.size}"

    @property
    def reach_seconds(self) -> int:
        """The longest time between a pane of the window and the window's ends."""
        return durations.seconds(self.size)

    def check(self, every_seconds: int) -> None:
        """Raises ValueError if panes of `every_seconds` do not fill these windows exactly."""
        if durations.seconds(self.size) % every_seconds:
            raise ValueError(f"{self.name}: the size is not a whole number of panes")

    def spans(self, pane_start: Column) -> Column:
        """Array of (window, window_start, window_end), one for each window that holds the pane."""
        return Hopping(self.size, self.size).spans(pane_start, self.name)


@dataclass(frozen=True)
class Hopping:
    """Windows of `size`, from each multiple of `every` since 1970 UTC. Labelled "hopping SIZE every EVERY"."""

    size: str
    every: str
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the dear part of a window that overlaps others."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"hopping {self.size} every {self.every}"

    @property
    def reach_seconds(self) -> int:
        """The longest time between a pane of the window and the window's ends."""
        return durations.seconds(self.size)

    def check(self, every_seconds: int) -> None:
        """Raises ValueError if panes of `every_seconds` do not fill these windows exactly."""
        size, hop = durations.seconds(self.size), durations.seconds(self.every)
        if size % hop or hop % every_seconds:
            raise ValueError(f"{self.name}: the size must be a whole number of hops and the hop of panes")

    def spans(self, pane_start: Column, name: str | None = None) -> Column:
        """Array of (window, window_start, window_end), one for each window that holds the pane."""
        size, hop = durations.seconds(self.size), durations.seconds(self.every)
        start = F.unix_seconds(pane_start)
        last = start - F.pmod(start, F.lit(hop))
        starts = F.sequence(last - F.lit(size - hop), last, F.lit(hop))
        return F.transform(
            starts,
            lambda first: _span(
                name or self.name, F.timestamp_seconds(first), F.timestamp_seconds(first + F.lit(size))
            ),
        )


@dataclass(frozen=True)
class CalendarDay:
    """Days from midnight to midnight in `zone`: 23 or 25 hours long when clocks change. Labelled "day ZONE"."""

    zone: str
    uniques: bool = True
    """False leaves distinct counts out (null): merging sketches is the dear part of a window that overlaps others."""

    @property
    def name(self) -> str:
        """The label in column `window`."""
        return f"day {self.zone}"

    @property
    def reach_seconds(self) -> int:
        """The longest time between a pane of the window and the window's ends."""
        return 26 * 3600

    def check(self, every_seconds: int) -> None:
        """Raises ValueError if the zone is unknown, or if its midnights since 1970 cut a pane of `every_seconds`."""
        try:
            zone = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{self.name}: there is no time zone of this name") from None
        first = datetime(1970, 1, 1, tzinfo=UTC)
        offsets = {(first + timedelta(days=day)).astimezone(zone).utcoffset() for day in range(0, 25_000, 7)}
        if any(offset and offset.total_seconds() % every_seconds for offset in offsets):
            raise ValueError(f"{self.name}: midnight there falls inside a pane; take shorter panes")

    def spans(self, pane_start: Column) -> Column:
        """Array of (window, window_start, window_end), one for each window that holds the pane."""
        day = F.to_date(F.from_utc_timestamp(pane_start, self.zone))
        start = F.to_utc_timestamp(day.cast("timestamp"), self.zone)
        end = F.to_utc_timestamp(F.date_add(day, 1).cast("timestamp"), self.zone)
        return F.array(_span(self.name, start, end))


Window = Tumbling | Hopping | CalendarDay

KEYS = ("window", "window_start", "window_end")
"""Columns that tell one window from another."""


def assign(partials: DataFrame, windows: tuple[Window, ...]) -> DataFrame:
    """Each row of `partials` once for every window that holds its pane, with the columns of KEYS."""
    spans = F.concat(*(window.spans(F.col("pane_start")) for window in windows))
    return partials.withColumn("span", F.explode(spans)).select("*", "span.*").drop("span")


def merge(
    partials: DataFrame, aggregates: Panes, windows: tuple[Window, ...], only: DataFrame | None = None
) -> DataFrame:
    """The windows of partial panes: KEYS, the groups, and the columns of panes.merge.

    `only` is a small frame with the columns of KEYS: the windows that are wanted.
    """
    keys = (*KEYS, *aggregates.by)
    merged = []
    for uniques in (True, False) if aggregates.uniques else (True,):
        some = tuple(window for window in windows if window.uniques == uniques or not aggregates.uniques)
        if some:
            assigned = assign(partials, some)
            if only is not None:
                assigned = assigned.join(F.broadcast(only), list(KEYS), "left_semi")
            merged.append(panes.merge(assigned, aggregates, keys, uniques))
    return merged[0] if len(merged) == 1 else merged[0].unionByName(merged[1])


def reach_seconds(windows: tuple[Window, ...]) -> int:
    """How far, in seconds, a window can extend on either side of one of its panes."""
    return max(window.reach_seconds for window in windows)
