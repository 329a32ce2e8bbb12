"""Lateness against ten lines of plain Python, whole and in two parts."""

import random
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.events import lateness
from jobs.events.lateness_rule import LatenessRule

START = datetime(2013, 6, 1, tzinfo=UTC)
ALLOWED = 600
BEFORE_ALL = -(10**9)
DICE = random.Random(5)
ROWS = [  # partition, offset, seconds after START, good
    (partition, offset, 60 * offset - DICE.choice([0, 0, 60, 61, 600, 660, 661, 5000]), offset % 7 != 3)
    for partition in (0, 2)
    for offset in range(30)
]


def frame(spark: SparkSession, rows: list[tuple[int, int, int, bool]]) -> DataFrame:
    """As the gate gives them: a bad one has no event time and a fault."""
    shuffled = DICE.sample(rows, len(rows))
    made = spark.createDataFrame(shuffled, "record_partition int, record_offset long, seconds long, good boolean")
    moment = F.timestamp_seconds(F.lit(int(START.timestamp())) + F.col("seconds"))
    return made.select(
        "record_partition",
        "record_offset",
        F.lit(START).alias("record_timestamp"),
        F.when(F.col("good"), moment).alias("event_time"),
        F.when(~F.col("good"), F.struct(F.lit("not_json").alias("reason"))).alias("__fault"),
    )


def expected(rows: list[tuple[int, int, int, bool]]) -> dict[int, tuple[int, int, int, int, int]]:
    """{partition: (records, quarantined, out of order, late, stream time)}."""
    said = {}
    for partition in {row[0] for row in rows}:
        latest, behind = BEFORE_ALL, list[int]()
        mine = sorted(row for row in rows if row[0] == partition)
        for _, _, second, good in mine:
            if good:
                behind.append(max(0, latest - second))
                latest = max(latest, second)
        late = sum(b > ALLOWED for b in behind)
        said[partition] = (len(mine), len(mine) - len(behind), sum(b > 0 for b in behind), late, latest)
    return said


def found(decoded: DataFrame, stream_times: dict[int, int]) -> dict[int, tuple[int, int, int, int, int]]:
    rows = lateness.summarise(decoded, stream_times, LatenessRule(ALLOWED)).collect()
    zero = int(START.timestamp())
    return {
        row.record_partition: (
            row.records, row.quarantined, row.out_of_order, row.late, row.stream_micros // 1_000_000 - zero,
        )
        for row in rows
    }  # fmt: skip


def test_who_is_late_is_what_one_record_at_a_time_says(spark: SparkSession) -> None:
    whole = expected(ROWS)
    assert all(0 < late < behind for _, _, behind, late, _ in whole.values())
    assert found(frame(spark, ROWS), {}) == whole


def test_two_parts_say_what_the_whole_says(spark: SparkSession) -> None:
    whole = expected(ROWS)
    first = [row for row in ROWS if row[1] < 13]
    before = expected(first)
    carried = {partition: int((START + timedelta(seconds=facts[4])).timestamp()) * 1_000_000
               for partition, facts in before.items()}  # fmt: skip
    rest = found(frame(spark, [row for row in ROWS if row[1] >= 13]), carried)
    for partition, facts in whole.items():
        sums = tuple(a + b for a, b in zip(before[partition][:4], rest[partition][:4], strict=True))
        assert sums == facts[:4]
        assert max(before[partition][4], rest[partition][4]) == facts[4]
