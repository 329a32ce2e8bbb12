"""What the result of earlier_homes.py has to say, worked out in plain Python, and what its tables say."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from datasketches import hll_sketch, hll_union, tgt_hll_type

from jobs import run
from jobs.log.partitioner import partitions_of
from tests import delta
from tests.versions.earlier import readings
from tests.versions.earlier_homes import PARTITIONS

HERE = Path(__file__).parent
NEW_YORK = ZoneInfo("America/New_York")
Windows = dict[tuple[Any, ...], tuple[Any, ...]]


def published(places: run.Places) -> Windows:
    """{(window, start, end, site): (records, seen before, mean, least and greatest reading, distinct large numbers)}"""
    names = ("records", "seen_before_count", "reading_mean", "reading_min", "reading_max", "large_estimate")
    rows = delta.rows(places.table("carried_v1"))
    keys = ("window", "window_start", "window_end", "site")
    found = {tuple(row[key] for key in keys): tuple(row[name] for name in names) for row in rows}
    assert len(found) == len(rows)
    return found


def expected(after: int) -> Windows:
    """The same of the first readings."""
    inside = defaultdict(list)
    for moment, known, reading in _seen(after):
        for span in _spans(moment):
            inside[*span, reading.get("site")].append((known, reading))
    found = {}
    for key, some in inside.items():
        numbers = [r["reading"] for _, r in some if r["reading"] is not None]
        mean = sum(numbers) / len(numbers) if numbers else None
        distinct = None if key[0].startswith("hopping") else _distinct([r["large"] for _, r in some])
        seen = sum(known for known, _ in some)
        found[key] = (len(some), seen, mean, min(numbers, default=None), max(numbers, default=None), distinct)
    return found


def _seen(after: int) -> list[tuple[datetime, bool, dict[str, Any]]]:
    """Each reading with its time, and whether its device came before in the partition, within a day and its half."""
    devices = [f"d{number}" for number in range(6)]
    homes = partitions_of(pa.array([device.encode() for device in devices], pa.binary()), PARTITIONS, 0)
    home = dict(zip(devices, homes, strict=True))
    before, newest, found = defaultdict[str, list[datetime]](list), dict[int, datetime](), []
    for reading in readings(0, after):
        moment = datetime.fromtimestamp(reading["taken_ms"] / 1000, UTC)
        device, part = reading["device"], home[reading["device"]]
        oldest = moment.replace(hour=moment.hour // 12 * 12, minute=0, second=0) - timedelta(days=1)
        late = newest.get(part, moment) - moment > timedelta(hours=2)
        found.append((moment, not late and any(other >= oldest for other in before[device]), reading))
        before[device].append(moment)
        newest[part] = max(newest.get(part, moment), moment)
    return found


def _spans(moment: datetime) -> list[tuple[str, datetime, datetime]]:
    two = moment.replace(hour=moment.hour // 2 * 2, minute=0, second=0)
    hops = [two - timedelta(hours=back) for back in (4, 2, 0)]
    day = moment.astimezone(NEW_YORK).date()
    ends = [datetime(d.year, d.month, d.day, tzinfo=NEW_YORK).astimezone(UTC) for d in (day, day + timedelta(1))]
    spans = [("tumbling 2 hours", two, two + timedelta(hours=2)), ("day America/New_York", ends[0], ends[1])]
    return [*spans, *(("hopping 6 hours every 2 hours", start, start + timedelta(hours=6)) for start in hops)]


def _distinct(values: list[int]) -> int:
    """By a sketch of 16 registers, from its registers alone: merged, a sketch has no other estimate."""
    sketch, union = hll_sketch(4, tgt_hll_type.HLL_8), hll_union(4)
    for value in values:
        sketch.update(value)
    for _ in range(2):
        union.update(sketch)
    return round(union.get_estimate())
