"""Searches and clicks: two topics with events that come late, and what must come of them, worked out one by one."""

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BooleanType, StringType, StructField, StructType, TimestampType

from jobs.answers.event_rows.event_answer import SHOWN
from jobs.answers.result import Late, Reads, Result
from jobs.log.archive import writer
from jobs.log.partitioner import partitions_of
from tests.jobs.keeping.world import World

PARTITIONS = 2
ALLOWED, KEPT = timedelta(minutes=2), timedelta(minutes=10)
START = datetime(2024, 5, 1, 12, tzinfo=UTC)
MOST_BEHIND, NOT_TOO_LATE = 1200, 500
"""Seconds that visits are late: some are too late, or none is."""


def _topic(name: str, *columns: str) -> Any:
    fields = [StructField("at", TimestampType(), False), StructField("user", StringType(), True)]
    fields += [StructField(column, BooleanType() if column.startswith("is_") else StringType()) for column in columns]
    return SimpleNamespace(TOPIC=name, KEY=None, EVENT_TIME="at", COLUMNS=StructType(fields))


SEARCHES, CLICKS = _topic("searches", "words", "is_last", "is_search"), _topic("clicks", "item", "is_close")


def _searches(events: DataFrame) -> DataFrame:
    return events.select("event_time", "record_partition", "record_offset", "user", "words", "is_last", "is_search")


def _clicks(events: DataFrame) -> DataFrame:
    """Not a plain selection: Spark computes it."""
    selected = events.select("event_time", "record_partition", "record_offset", "user", "item", "is_close")
    return selected.withColumn("item", selected.item.substr(1, 2))


BOTH = (Reads(SEARCHES, _searches), Reads(CLICKS, _clicks))
ALONE = Reads(SEARCHES, _searches)
COLUMNS = {
    topic.TOPIC: to_arrow_schema(
        StructType(
            [
                StructField("event_time", TimestampType()),
                *(field for field in topic.COLUMNS if field.name != "at"),
                StructField("late", BooleanType()),
            ]
        ),
        timezone="UTC",
    )
    .insert(1, pa.field("record_partition", pa.int32()))
    .insert(2, pa.field("record_offset", pa.int64()))
    for topic in (SEARCHES, CLICKS)
}
"""Columns of kept events, by topic."""


class Visit(NamedTuple):
    """A record of one of the topics."""

    topic: str
    user: str | None
    at: datetime
    words: str
    flag: bool


def log(seed: int, length: int = 90, most_behind: int = MOST_BEHIND) -> list[Visit]:
    """Visits in the order in which they are written: some are out of order, some late, some too late. With
    NOT_TOO_LATE none is too late: no batch has bad records, and each costs a third of the time.
    """
    dice, now, visits = random.Random(seed), START, []
    for number in range(length):
        now += timedelta(seconds=dice.choice([0, 1, 5, 20, 45]))
        behind = dice.choices([0, 1, 30, 200, 500, 1200], [10, 4, 4, 3, 2, 1])[0]
        behind = min(behind, most_behind)
        topic = dice.choice(["searches", "searches", "clicks"])
        user = dice.choice(["ann", "bob", "cid", None])
        visits.append(Visit(topic, user, now - timedelta(seconds=behind), f"w{number}", dice.random() < 0.3))
    return visits


def keys_of(visits: list[Visit]) -> pa.Array:
    """The keys by which they are spread over partitions."""
    return pa.array([f"{visit.words}".encode() for visit in visits], pa.binary())


def batch(topic: str, visits: list[Visit], delay: timedelta = timedelta(hours=1)) -> pa.RecordBatch:
    """Visits of this topic as its records; `delay`: from the time of an event to the timestamp of its record."""
    flag = "is_last" if topic == "searches" else "is_close"
    text = "words" if topic == "searches" else "item"
    values = [
        json.dumps(
            {"at": f"{v.at:%Y-%m-%dT%H:%M:%SZ}", "user": v.user, text: v.words, flag: v.flag, "is_search": True}
        ).encode()
        for v in visits
    ]
    columns = {
        "key": keys_of(visits),
        "value": pa.array(values, pa.binary()),
        "timestamp": pa.array([v.at + delay for v in visits], pa.timestamp("us", "UTC")),
    }
    return pa.record_batch(columns)


def events(visits: list[Visit], rule: str = "correct") -> dict[str, pa.Table]:
    """The kept events, by topic: those that are not too late, and with another rule than "correct" those not late."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}
    for (topic, _), of_partition in placed(visits).items():
        for visit, place, behind in of_partition:
            late, too_late = behind > ALLOWED, behind > ALLOWED + KEPT
            if too_late or (late and rule != "correct"):
                continue
            row = {"event_time": visit.at, "record_partition": place[0], "record_offset": place[1], "user": visit.user}
            row |= {"words": visit.words, "is_last": visit.flag, "is_search": True} if topic == "searches" else {}
            row |= {"item": visit.words[:2], "is_close": visit.flag} if topic == "clicks" else {}
            rows[topic].append(row | {"late": late})
    return {name: pa.Table.from_pylist(rows[name], COLUMNS[name]) for name in COLUMNS}


def placed(visits: list[Visit]) -> dict[tuple[str, int], list[tuple[Visit, tuple[int, int], timedelta]]]:
    """{(topic, partition): visit, place, how far behind stream time}, in order of offset."""
    found: dict[tuple[str, int], list[tuple[Visit, tuple[int, int], timedelta]]] = defaultdict(list)
    partitions = partitions_of(keys_of(visits), PARTITIONS, 0)
    for visit, partition in zip(visits, partitions, strict=True):
        there = found[visit.topic, int(partition)]
        latest = max((other.at for other, *_ in there), default=visit.at)
        there.append((visit, (int(partition), len(there)), latest - visit.at))
    return found


def complete_time(visits: list[Visit]) -> datetime:
    """The least of all partitions' largest event times, less what is allowed."""
    return min(max(visit.at for visit, *_ in there) for there in placed(visits).values()) - ALLOWED


def micros(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def result(name: str, answers: Any, reads: Any = BOTH, **more: Any) -> Result:
    """A result over these topics."""
    return Result(name, reads, answers, late=more.pop("late", Late("2 minutes")), facts_for="10 minutes", **more)


class Visits(World):
    """The topics and the tables of one result over them, with accidents."""

    def __init__(self, spark: SparkSession, folder: Path, kept: Result, delay: timedelta = timedelta(hours=1)) -> None:
        """`delay`: from the time of an event to the timestamp of its record."""
        super().__init__(spark, folder, kept)
        self.delay = delay
        self.visits: list[Visit] = []

    def add(self, visits: list[Visit]) -> None:
        """Append these to the log, each topic at once."""
        self.visits += visits
        for topic in COLUMNS:
            some = [visit for visit in visits if visit.topic == topic]
            if some:
                writer.append(self.places.archive, topic, PARTITIONS, [batch(topic, some, self.delay)])

    def expected(self, which: int = 0, rule: str = "correct") -> list[dict[str, Any]]:
        """The rows of an answer over all that was written: what the function of the set of events gives."""
        answer = self.result.event_answers[which]
        given = {name: table for name, table in events(self.visits, rule).items() if name in self.result.topics}
        rows = answer.rows(given, micros(complete_time(self.visits_read())))
        return by_key(rows.drop_columns([SHOWN]).to_pylist())

    def visits_read(self) -> list[Visit]:
        """Those of the topics that the result reads."""
        return [visit for visit in self.visits if visit.topic in self.result.topics]

    def found(self, which: int = 0) -> list[dict[str, Any]]:
        """The rows of an answer in its table."""
        name = self.result.answer_table(self.result.event_answers[which])
        rows = self.rows(name.removeprefix(self.result.name))
        return by_key([{c: v for c, v in row.items() if c not in ("revision", "updated_time")} for row in rows])


def by_key(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In an order of their own."""
    return sorted(rows, key=lambda row: tuple(str(value) for value in row.values()))
