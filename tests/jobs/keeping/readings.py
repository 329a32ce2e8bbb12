"""A small log for the tests of sinks, three partitions with late, bad and doubled records, and what must come of it.

What must come of it is worked out here record by record, in plain Python, without any of the engine's code.
"""

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import (
    BooleanType,
    DoubleType,
    IntegerType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import CalendarDay, Hopping, Tumbling, Windows
from jobs.decisions.membership import Membership
from jobs.facts.panes import Panes
from jobs.log.partitioner import partitions_of
from tests.altered import altered

PARTITIONS = 3
TOPIC = SimpleNamespace(
    TOPIC="readings",
    KEY="device",
    EVENT_TIME="taken_time",
    COLUMNS=StructType(
        [
            StructField("taken_time", TimestampType(), False),
            StructField("site", StringType(), False),
            StructField("device", StringType(), False),
            StructField("reading", IntegerType(), True),
            StructField("level", DoubleType(), True),
            StructField("ok", BooleanType(), True),
            StructField("cell", DoubleType(), True),
            StructField("note", StringType(), True),
            StructField("amount", StringType(), True),
        ]
    ),
)
AMOUNTS = [
    "99999999999999999999.999999999999999999",
    "-99999999999999999999.999999999999999998",
    "0.000000000000000001",
]
"""Sums of the first have more than 38 digits."""


def transform(readings: DataFrame) -> DataFrame:
    """Without the tests of the devices themselves."""
    kept = readings.where(readings.site != "test")
    amount = kept.amount.try_cast("decimal(38,18)").alias("amount")
    return kept.select("event_time", "site", "device", "reading", "level", "ok", "cell", "note", amount)


def placed(readings: DataFrame) -> DataFrame:
    """Where each reading stands in the log."""
    return readings.select("record_partition", "record_offset", "record_key", "event_time", "device")


PANES = Result(
    "readings_v1",
    Reads(TOPIC, transform),
    Windows(
        Panes("30 minutes", ("site",), averages=("reading", "level"), uniques=("device",), counts=("ok",)),
        Tumbling("1 hour"),
        Hopping("1 hour", every="30 minutes"),
        CalendarDay("America/New_York"),
    ),
    late=Late("2 hours"),
)
ODD = altered(
    PANES,
    name="odd_v1",
    panes=Panes(
        "30 minutes",
        ("site", "cell"),
        averages=("reading", "level", "amount"),
        uniques=("device", "note"),
        counts=("ok",),
    ),
)
"""With what engines compare differently: both zeros and null as groups, texts that differ little, long decimals."""
SEEN = Result(
    "seen_v1",
    Reads(TOPIC, placed, decide=Membership("1 day", bucket="12 hours", expected_keys=5_000, false_positive_rate=1e-6)),
    late=Late("6 hours"),
)


class Record(NamedTuple):
    """A record of the log, and what is in it: the values of a good one, or why it is bad."""

    partition: int
    offset: int
    timestamp: datetime
    key: str
    value: bytes | None
    good: dict[str, Any] | None
    bad: tuple[str, str | None] | None


def _bad(which: int, good: dict[str, Any]) -> tuple[bytes | None, tuple[str, str | None]]:
    return [
        (b"hello", ("not_json", None)),
        (None, ("null_value", None)),
        (json.dumps({k: v for k, v in good.items() if k != "site"}).encode(), ("missing_field", "site")),
        (json.dumps(good | {"reading": "many"}).encode(), ("wrong_type", "reading")),
        (json.dumps(good | {"taken_time": "2031-01-01T00:00:00Z"}).encode(), ("time_after_record", "taken_time")),
        (json.dumps(good).encode() * 2, ("trailing_data", None)),
    ][which % 6]


def log(seed: int = 7, each: int = 14, keys: int = 4) -> list[Record]:
    """`each` records in each partition, of `keys` devices; over the days in which the clocks of New York change."""
    dice, odd = random.Random(seed), random.Random(seed + 1)
    names = [f"d{number}" for number in range(10 * keys)]
    homes = partitions_of(pa.array([name.encode() for name in names], pa.binary()), PARTITIONS, 0)
    records = []
    for partition in range(PARTITIONS):
        devices = [name for name, home in zip(names, homes, strict=True) if home == partition][:keys]
        now = datetime(2013, 3, 9, 12, tzinfo=UTC)
        mine: list[Record] = []
        for offset in range(each):
            now += timedelta(minutes=dice.choice([1, 20, 47, 180, 700]))
            if offset % 6 == 4:  # delivered twice by its producer
                mine.append(mine[-1]._replace(offset=offset))
                continue
            taken = now - timedelta(seconds=dice.choice([0, 0, 0, 1800, 7201, 25_000, 90_000]))
            good: dict[str, Any] = {
                "taken_time": taken.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "site": dice.choice(["north", "south", "test"]),
                "device": dice.choice(devices),
                "reading": dice.choice([None, 0, 7, -3, 2_147_483_647]),
                "level": dice.choice([None, 0.1, 2.5, -1e9]),
                "ok": dice.choice([None, True, False]),
                "cell": odd.choice([None, 0, 0.0, -0.0, 5.5]),
                "note": odd.choice([None, "", " ", "x", "X", "x "]),
                "amount": odd.choice([None, *AMOUNTS]),
            }
            value, fault = (
                _bad(offset // 5 + 2 * partition, good) if offset % 5 == 3 else (json.dumps(good).encode(), None)
            )
            truth = None if fault else good | {"taken_time": taken}
            mine.append(Record(partition, offset, now, good["device"], value, truth, fault))
        records += mine
    return records


def only_good(records: list[Record]) -> list[Record]:
    """The good ones, with the offsets that they have alone. A batch without a bad record costs half."""
    ends = dict.fromkeys(range(PARTITIONS), 0)
    left = []
    for record in (record for record in records if record.good):
        left.append(record._replace(offset=ends[record.partition]))
        ends[record.partition] += 1
    return left


def interleaved(records: list[Record], seed: int) -> list[Record]:
    """The same log, whose partitions were written in another order."""
    dice = random.Random(seed)
    queues = [[r for r in records if r.partition == partition] for partition in range(PARTITIONS)]
    written = []
    while any(queues):
        written.append(dice.choice([queue for queue in queues if queue]).pop(0))
    return written


def batch(records: list[Record]) -> pa.RecordBatch:
    """As the producer takes them."""
    return pa.record_batch(
        {
            "key": pa.array([r.key.encode() for r in records], pa.binary()),
            "value": pa.array([r.value for r in records], pa.binary()),
            "timestamp": pa.array([r.timestamp for r in records], pa.timestamp("us", "UTC")),
        }
    )


def _floor(moment: datetime, minutes: int) -> datetime:
    return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(minutes=minutes)


def _windows(moment: datetime) -> list[tuple[str, datetime, datetime]]:
    hour, half = _floor(moment, 60), _floor(moment, 30)
    spans = [("tumbling 1 hour", hour, hour + timedelta(hours=1))]
    for start in (half - timedelta(minutes=30), half):
        spans.append(("hopping 1 hour every 30 minutes", start, start + timedelta(hours=1)))
    zone = ZoneInfo("America/New_York")
    day = moment.astimezone(zone).date()
    ends = [datetime(d.year, d.month, d.day, tzinfo=zone).astimezone(UTC) for d in (day, day + timedelta(days=1))]
    return [*spans, ("day America/New_York", ends[0], ends[1])]


def facts(readings: list[dict[str, Any]]) -> dict[str, Any]:
    """What a window or a pane with these readings says."""
    said: dict[str, Any] = {"records": len(readings), "ok": sum(bool(r["ok"]) for r in readings)}
    said["devices"] = len({r["device"] for r in readings})
    said["notes"] = len({r["note"] for r in readings} - {None})
    for name in ("reading", "level", "amount"):
        values = [Decimal(r[name]) if name == "amount" else r[name] for r in readings if r[name] is not None]
        mean = float(sum(map(Fraction, values)) / len(values)) if values else None
        said[name] = (mean, min(values, default=None), max(values, default=None))
    return said


def _grouped(records: list[Record], by: tuple[str, ...], spans: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
    inside = defaultdict(list)
    for good in (r.good for r in records if r.good and r.good["site"] != "test"):
        for span in spans(good["taken_time"]):
            inside[*span, *(good[name] for name in by)].append(good)  # Python takes both zeros for the same
    return {key: facts(readings) for key, readings in inside.items()}


def windows(records: list[Record], by: tuple[str, ...] = ("site",)) -> dict[tuple[Any, ...], dict[str, Any]]:
    """{(window, start, end, *group): facts} of the good records."""
    return _grouped(records, by, _windows)


def panes(records: list[Record], by: tuple[str, ...] = ("site",)) -> dict[tuple[Any, ...], dict[str, Any]]:
    """{(start, *group): facts} of the good records."""
    return _grouped(records, by, lambda moment: [(_floor(moment, 30),)])


def behind(records: list[Record]) -> dict[tuple[int, int], tuple[datetime, datetime]]:
    """{(partition, offset): (event time, stream time)} of the good records that are behind."""
    found = {}
    for partition in range(PARTITIONS):
        latest = None
        for record in sorted((r for r in records if r.partition == partition), key=lambda r: r.offset):
            if record.good is None:
                continue
            moment = record.good["taken_time"]
            if latest and moment < latest:
                found[partition, record.offset] = (moment, latest)
            latest = max(latest or moment, moment)
    return found


def late(records: list[Record], allowed: timedelta) -> dict[tuple[int, int], tuple[datetime, datetime]]:
    """Those of `behind` that are further behind than is allowed."""
    return {place: times for place, times in behind(records).items() if times[1] - times[0] > allowed}


def complete_time(records: list[Record], allowed: timedelta) -> datetime:
    """The least of the partitions' largest event times, less what is allowed."""
    good = [record for record in records if record.good]
    partitions = {record.partition for record in good}
    latest = [max(r.good["taken_time"] for r in good if r.good and r.partition == part) for part in partitions]
    return min(latest) - allowed


def seen(records: list[Record], allowed: timedelta, horizon_buckets: int = 2) -> dict[tuple[int, int], bool | None]:
    """{(partition, offset): seen before}: every key in a set, buckets of twelve hours."""
    answers: dict[tuple[int, int], bool | None] = {}
    for partition in range(PARTITIONS):
        before: list[tuple[str, datetime]] = []
        for record in sorted((r for r in records if r.partition == partition), key=lambda r: r.offset):
            if record.good is None:
                continue
            moment = record.good["taken_time"]
            oldest = _floor(moment, 720) - timedelta(hours=12 * horizon_buckets)
            late = before and max(m for _, m in before) - moment > allowed
            known = any(key == record.key and m >= oldest for key, m in before)
            answers[partition, record.offset] = None if late else known
            before.append((record.key, moment))
    return answers
