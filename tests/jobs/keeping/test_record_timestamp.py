"""A result by the records' own timestamps: windows, and what is late, follow from them alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StringType, StructField, StructType

from jobs import keeping, run
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.log.archive import writer
from tests import delta

START = datetime(2024, 5, 1, 12, tzinfo=UTC)
TOPIC = SimpleNamespace(
    TOPIC="beats", KEY=None, EVENT_TIME=None, COLUMNS=StructType([StructField("who", StringType(), False)])
)


def by_who(beats: DataFrame) -> DataFrame:
    return beats.select("event_time", "who")


def test_windows_and_lateness_by_the_records_timestamp(a_run: Callable[..., run.Run], places: run.Places) -> None:
    windows = Windows(Panes("1 hour", by=("who",), count="beats"), Tumbling("1 hour"))
    result = Result("beats_v1", Reads(TOPIC, by_who), windows, late=Late("30 minutes", then="quarantine"))
    for minutes in ([0, 10, 70, 5, 65], [130, 71]):  # 5 and 71 come more than half an hour after a later one
        values = pa.array([b'{"who":"a"}'] * len(minutes), pa.binary())
        times = pa.array([START + timedelta(minutes=each) for each in minutes], pa.timestamp("us", "UTC"))
        batch = pa.record_batch([pa.nulls(len(minutes), pa.binary()), values, times], ["key", "value", "timestamp"])
        writer.append(places.archive, "beats", 1, [batch])
        keeping.keep(a_run(), result)
    found = {row["window_start"]: row["beats"] for row in delta.rows(places.table("beats_v1"))}
    assert found == {START: 2, START + timedelta(hours=1): 2, START + timedelta(hours=2): 1}
    waiting = delta.rows(places.table("beats_v1_quarantine"))
    assert {(row["reason"], row["field"], row["offset"]) for row in waiting} == {
        ("late", "record_timestamp", 3),
        ("late", "record_timestamp", 6),
    }
