"""The records of the last day as a row of small bars: drawn here, so the page needs no script and no style for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HOURS = 24
HEIGHT = 20
"""Of the highest bar; the width of an hour is 4, of which a bar has 3."""


@dataclass(frozen=True)
class Bar:
    """The records of batches that were closed in an hour, in units of the picture."""

    x: int
    y: float
    height: float


def bars(records_by_hour: Mapping[datetime, int], now: datetime) -> list[Bar]:
    """A bar for each of the last HOURS hours with records; `records_by_hour`: by the begin of the hour, UTC."""
    counts = _last_day(records_by_hour, now)
    most = max(counts.values(), default=0)
    found = []
    for place, records in enumerate(counts.values()):
        if records:
            height = max(1.0, round(HEIGHT * records / most, 1))  # one record is seen beside a million
            found.append(Bar(4 * place, HEIGHT - height, height))
    return found


def words(records_by_hour: Mapping[datetime, int], now: datetime) -> str:
    """The same for whoever does not see the picture."""
    counts = _last_day(records_by_hour, now)
    total = sum(counts.values())
    if not total:
        return "no records read in the last 24 hours"
    busiest = max(counts, key=lambda hour: counts[hour])
    most = f"most from {busiest:%H:%M} to {busiest + timedelta(hours=1):%H:%M} UTC: {counts[busiest]:,}"
    return f"{total:,} records read in the last 24 hours, {most}"


def _last_day(records_by_hour: Mapping[datetime, int], now: datetime) -> dict[datetime, int]:
    """The last HOURS hours in order; that of `now` is the last one."""
    this = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [this - timedelta(hours=ago) for ago in reversed(range(HOURS))]
    return {hour: records_by_hour.get(hour, 0) for hour in hours}
