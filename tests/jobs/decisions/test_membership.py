"""Membership: the answers of one record at a time, whatever the batches; false negatives never."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.decisions import seen_before
from jobs.decisions.decision import in_order
from jobs.decisions.membership import Membership
from jobs.events import task_facts
from schemas import filters as filters_schema

DAY = 86_400_000_000
START = 15_000 * DAY
TWO_DAYS = Membership("2 days", bucket="1 day", expected_keys=5_000, false_positive_rate=1e-6)
ALLOWED = 6 * 3600
Event = tuple[int, int, str | None, int]
"""Partition, offset, key, event time in microseconds after START."""


class Keeper:
    """Carries the filters from batch to batch, as a sink does."""

    def __init__(self, spark: SparkSession, kept: Membership, allowed: int = ALLOWED) -> None:
        self.spark, self.kept, self.allowed = spark, kept, allowed
        self.filters: dict[tuple[int, datetime], Any] = {}

    def batch(self, events: list[Event]) -> dict[tuple[int, int], bool | None]:
        """{(partition, offset): seen before}."""
        made = self.spark.createDataFrame(events, "record_partition int, record_offset long, k string, micros long")
        frame = made.select(
            "record_partition",
            "record_offset",
            F.encode("k", "UTF-8").alias("record_key"),
            F.timestamp_micros(F.col("micros") + F.lit(START)).alias("event_time"),
        )
        before = pa.Table.from_pylist(
            list(self.filters.values()), to_arrow_schema(filters_schema.COLUMNS, timezone="UTC")
        )
        sightings = task_facts.accumulator(self.spark)
        hashed = seen_before.with_key_hash(in_order(frame))
        rows = seen_before.mark_step(hashed.schema, before, self.kept, self.allowed, sightings).over(hashed).collect()
        facts = task_facts.drain(sightings)
        assert task_facts.partitions_read_whole(facts)
        for row in seen_before.changed_filters(facts).to_pylist():
            self.filters[row["partition"], row["bucket_time"]] = row | {"sequence": 0}
        self._retire()
        return {(row.record_partition, row.record_offset): row.seen_before for row in rows}

    def _retire(self) -> None:
        for partition in {partition for partition, _ in self.filters}:
            mine = [row for (p, _), row in self.filters.items() if p == partition]
            newest = max(micros(row["stream_time"]) for row in mine)
            oldest = self.kept.oldest_bucket(newest, self.allowed) * self.kept.bucket_micros
            for row in mine:
                if micros(row["bucket_time"]) < oldest:
                    del self.filters[partition, row["bucket_time"]]


def micros(moment: datetime) -> int:
    """Since 1970."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def one_at_a_time(events: list[Event], buckets: int = 2, allowed: int = ALLOWED) -> dict[tuple[int, int], bool | None]:
    """Every key in a list."""
    answers: dict[tuple[int, int], bool | None] = {}
    before: dict[int, list[tuple[str | None, int]]] = {}
    for partition, offset, key, time in sorted(events):
        mine = before.setdefault(partition, [])
        oldest = time // DAY * DAY - buckets * DAY
        late = bool(mine) and max(t for _, t in mine) - time > allowed * 1_000_000
        unknown = late or key is None
        answers[partition, offset] = None if unknown else any(k == key and t >= oldest for k, t in mine)
        mine.append((key, time))
    return answers


def history(each: int = 60) -> list[Event]:
    """Keys that come again after days, out of order, and now and then a leap of many days."""
    dice = random.Random(11)
    events = []
    for partition in (0, 3):
        now = 0
        for offset in range(each):
            now += dice.choice([1, DAY // 10, DAY // 2, 9 * DAY if offset % 20 == 19 else 0])
            back = dice.choice([0, 0, 5 * 3600, 6 * 3600, 7 * 3600, 3 * 86_400]) * 1_000_000
            key = ["", None, "k2", "k3", "k4", "k5"][dice.randrange(6)]
            events.append((partition, offset, key, now - back + 4 * DAY))
    return events


@pytest.mark.parametrize("cuts", [(), (1, 20, 47)])
def test_answers_are_those_of_one_record_at_a_time(cuts: tuple[int, ...], spark: SparkSession) -> None:
    events = history()
    found: dict[tuple[int, int], bool | None] = {}
    keeper = Keeper(spark, TWO_DAYS)
    for first, after in zip((0, *cuts), (*cuts, 60), strict=True):
        part = [event for event in events if first <= event[1] < after]
        found |= keeper.batch(random.Random(first).sample(part, len(part)))
    expected = one_at_a_time(events)
    assert {None, True, False} == set(expected.values())
    assert found == expected


def test_the_edges_of_the_horizon_of_lateness_and_of_a_batch(spark: SparkSession) -> None:
    late = ALLOWED * 1_000_000
    cases: list[tuple[list[tuple[str | None, int]], list[bool | None]]] = [
        # The horizon reaches back to the start of its bucket, and not a microsecond further.
        ([("a", 3 * DAY), ("a", 5 * DAY + DAY // 2)], [False, True]),
        ([("a", 3 * DAY - 1), ("a", 5 * DAY)], [False, False]),
        # As late as allowed, and later.
        ([("a", 4 * DAY), ("b", 5 * DAY), ("a", 5 * DAY - late)], [False, False, True]),
        ([("a", 4 * DAY), ("b", 5 * DAY), ("a", 5 * DAY - late - 1)], [False, False, None]),
        # What is too late counts as a sighting for those behind it.
        ([("b", 5 * DAY), ("a", 4 * DAY), ("a", 5 * DAY)], [False, None, True]),
        # A later leap in time does not undo what was seen before it in the same batch.
        ([("a", 0), ("a", 1), ("a", 90 * DAY), ("a", 90 * DAY)], [False, True, False, True]),
        # No key is no key, and says nothing of the empty one; its time counts.
        ([(None, 0), (None, 1), ("", 2), ("", 3), (None, 90 * DAY), ("", 4)], [None, None, False, True, None, None]),
        # Event times may lie ahead of those at higher offsets.
        ([("a", 2 * DAY), ("a", 2 * DAY - 5)], [False, True]),
    ]
    events = [
        (partition, offset, key, time)
        for partition, (records, _) in enumerate(cases)
        for offset, (key, time) in enumerate(records)
    ]
    found = Keeper(spark, TWO_DAYS).batch(events)
    for partition, (records, answers) in enumerate(cases):
        assert [found[partition, offset] for offset in range(len(records))] == answers, records


def test_the_time_of_a_record_without_a_key_counts_in_later_batches(spark: SparkSession) -> None:
    keeper = Keeper(spark, TWO_DAYS)
    batches: list[list[Event]] = [[(0, 0, "a", 0)], [(0, 1, None, 9 * DAY)], [(0, 2, "a", 1), (0, 3, "a", 9 * DAY)]]
    assert [list(keeper.batch(batch).values()) for batch in batches] == [[False], [None], [None, False]]


def test_filters_of_days_that_nobody_can_ask_for_are_not_kept(spark: SparkSession) -> None:
    keeper = Keeper(spark, TWO_DAYS)
    keeper.batch([(0, day, "a", day * DAY) for day in range(8)])
    days = sorted((micros(row["bucket_time"]) - START) // DAY for row in keeper.filters.values())
    assert days == [4, 5, 6, 7]  # two days, and one more for who is six hours late
    keeper.batch([(0, 8, "a", 20 * DAY + DAY // 2)])
    assert [(micros(row["bucket_time"]) - START) // DAY for row in keeper.filters.values()] == [20]


def test_the_rate_of_false_positives_at_capacity_is_the_configured_one(spark: SparkSession) -> None:
    kept = Membership("2 days", bucket="1 day", expected_keys=10_000, false_positive_rate=0.2)
    keeper = Keeper(spark, kept)
    full: list[Event] = [(0, number, f"old{number}", (number // 10_000) * DAY) for number in range(29_000)]
    keeper.batch(full)
    asks = 2_000  # while they are answered the running filter goes from 9,000 keys to 11,000
    answers = keeper.batch([(0, 29_000 + number, f"new{number}", 2 * DAY) for number in range(asks)])
    share = sum(map(bool, answers.values())) / asks
    assert share == pytest.approx(0.2, rel=0.2)
    newest = max(keeper.filters.values(), key=lambda row: row["bucket_time"])
    assert newest["false_positive_rate"] == pytest.approx(0.2, rel=0.2)


def test_numbers_that_cannot_be_are_refused() -> None:
    for wrong in ({"horizon": "36 hours"}, {"false_positive_rate": 0.0}, {"false_positive_rate": 1.0},
                  {"expected_keys": 0}, {"bucket": "a day"}):  # fmt: skip
        with pytest.raises(ValueError):
            Membership(**({"horizon": "2 days"} | wrong))


def test_records_in_another_order_or_in_pieces_are_noticed(spark: SparkSession) -> None:
    columns = ("0 as record_partition", "id as record_offset", "encode(id, 'utf-8') as record_key")
    made = spark.range(40).selectExpr(*columns, "timestamp_seconds(id) as event_time")
    nothing = pa.table({name: [] for name in filters_schema.COLUMNS.names})
    found = []
    for frame in (made.coalesce(1), made.orderBy("record_offset", ascending=False).coalesce(1), made.repartition(2)):
        sightings = task_facts.accumulator(spark)
        hashed = seen_before.with_key_hash(frame)
        marking = seen_before.mark_step(hashed.schema, nothing, TWO_DAYS, ALLOWED, sightings)
        assert marking.over(hashed).count() == 40
        found.append(task_facts.partitions_read_whole(task_facts.drain(sightings)))
    assert found == [True, False, False]
