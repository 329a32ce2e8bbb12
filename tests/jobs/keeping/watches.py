"""Adverts, and rules about them that their owners change; a result that follows both; and what must come of it."""

import json
import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import LongType, StringType, StructField, StructType, TimestampType

from jobs.answers.result import Late, Reads, Result
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import Versions
from jobs.events.changes import debezium
from jobs.log.archive import writer
from jobs.run import Places

ADVERTS = SimpleNamespace(
    TOPIC="adverts",
    KEY=None,
    EVENT_TIME="posted_time",
    MAX_AHEAD=None,
    COLUMNS=StructType(
        [
            StructField("posted_time", TimestampType(), False),
            StructField("city", StringType()),
            StructField("rooms", LongType()),
            StructField("text", StringType()),
        ]
    ),
)
WATCHES = SimpleNamespace(
    TOPIC="app.public.watches",
    COLUMNS=StructType(
        [
            StructField("id", LongType(), False),
            StructField("owner", StringType()),
            StructField("predicate", StringType()),
            StructField("ends", TimestampType(), True, {"debezium": "io.debezium.time.MicroTimestamp"}),
        ]
    ),
)
START = datetime(2024, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = {
    "city = 'Rome' and rooms >= 2": lambda advert: advert["city"] == "Rome" and (advert["rooms"] or 0) >= 2,
    "not city in ('Rome', 'Oslo')": lambda advert: advert["city"] not in ("Rome", "Oslo", None),
    "contains(text, 'sunny') or rooms is null": lambda advert: "SUNNY" in advert["text"] or advert["rooms"] is None,
    "rooms between 1 and 3": lambda advert: advert["rooms"] in (1, 2, 3),
    "city = 'Rome' and": None,
    "reflect('java.lang.System', 'exit', 1) is null": None,
}
"""Rules, and what they mean; None: they cannot be used."""


class Version(NamedTuple):
    """A rule as it was from a time on; without a text it was deleted."""

    rule: int
    time: datetime
    lsn: int
    owner: str
    text: str | None
    ends: datetime | None


def adverts(events: DataFrame) -> DataFrame:
    """With its place."""
    return events.select("event_time", "record_partition", "record_offset", "city", "rooms", "text")


def watches(changes: DataFrame) -> DataFrame:
    """All columns."""
    return changes


VERSIONS = Versions(key=("id",)).named("watches")
HITS = StoredQueries(
    each="adverts", rules=VERSIONS, predicate="predicate", fields=("city", "rooms", "text"), take=("owner",),
    show=("city",), until="ends",
)  # fmt: skip
RESULT = Result(
    "advert_hit_v1",
    (Reads(ADVERTS, adverts), Reads(WATCHES, watches, form=debezium.CHANGES)),
    (VERSIONS, HITS),
    late=Late("1 hour"),
)


class Town:
    """Adverts are posted, and rules change."""

    def __init__(self, seed: int, steps: int) -> None:
        self.dice = random.Random(seed)
        self.adverts: list[dict[str, Any]] = []
        self.versions: list[Version] = []
        self.told: list[tuple[int, dict[str, Any]]] = []
        """Of the rules: key and envelope."""
        for step in range(steps):
            self._advert(step)
            if step % 2:
                self._change(step)

    def _advert(self, step: int) -> None:
        near = step + self.dice.randint(-9, 9)
        advert = {
            "posted_time": START + near * MINUTE,
            "city": self.dice.choice(["Rome", "Oslo", "Kyiv", None]),
            "rooms": self.dice.choice([None, 1, 2, 5]),
            "text": self.dice.choice(["a SUNNY flat", "dark", ""]),
        }
        self.adverts.append(advert)

    def _change(self, step: int) -> None:
        rule, lsn, time = self.dice.randint(1, 6), 1_000 + 100 * step, START + step * MINUTE
        is_there = any(each.rule == rule for each in self.current())
        text = None if is_there and self.dice.random() < 0.2 else self.dice.choice(list(RULES))
        ends = self.dice.choice([None, None, time + 5 * MINUTE])
        version = Version(rule, time, lsn, f"o{step}", text, ends)
        self.versions.append(version)
        row = {"id": rule, "owner": version.owner, "predicate": text, "ends": None}
        row["ends"] = ends and int(ends.timestamp() * 1_000_000)
        before = {"id": rule, "owner": None, "predicate": None, "ends": None}
        op, images = ("d", (before, None)) if text is None else ("u" if is_there else "c", (None, row))
        source = {
            "name": "app",
            "sequence": json.dumps([str(lsn - 100), str(lsn)]),
            "ts_ms": int(time.timestamp() * 1_000),
        }
        self.told.append(
            (rule, {"before": images[0], "after": images[1], "source": source | {"snapshot": "false"}, "op": op})
        )

    def current(self) -> list[Version]:
        """The rules as they are now."""
        last = {version.rule: version for version in self.versions}
        return [version for version in last.values() if version.text is not None]

    def valid(self, time: datetime) -> list[Version]:
        """The versions of rules that were valid at a time, whether they can be used or not."""
        last = {version.rule: version for version in self.versions if version.time <= time}
        return [v for v in last.values() if v.text is not None and (v.ends is None or time < v.ends)]

    def hits(self) -> list[tuple[Any, ...]]:
        """Time and city of an advert, and rule, owner and LSN of each version that it meets."""
        return sorted(
            (advert["posted_time"], advert["city"] or "", version.rule, version.owner, version.lsn)
            for advert in self.adverts
            for version in self.valid(advert["posted_time"])
            if (meaning := RULES[str(version.text)]) and meaning(advert)
        )


def append(places: Places, adverts: list[dict[str, Any]], told: list[tuple[int, dict[str, Any]]]) -> None:
    """Write these into the topics."""
    values = [json.dumps(advert | {"posted_time": advert["posted_time"].isoformat()}).encode() for advert in adverts]
    _append(places, ADVERTS.TOPIC, [None] * len(values), values)
    keys = [json.dumps({"id": key}).encode() for key, _ in told]
    _append(places, WATCHES.TOPIC, keys, [json.dumps(envelope).encode() for _, envelope in told])


def _append(places: Places, topic: str, keys: list[Any], values: list[bytes]) -> None:
    times = pa.array([START + 24 * 60 * MINUTE] * len(values), pa.timestamp("us", "UTC"))
    columns = {"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary()), "timestamp": times}
    writer.append(places.archive, topic, 2, [pa.record_batch(columns)])
