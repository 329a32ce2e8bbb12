"""What the quick look says of records: without Spark, and, with the gate behind it, beside the gate alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType, TimestampType

from jobs.events import arrow_json, fast_decoder, gate, task_facts
from jobs.events.lateness_rule import LatenessRule
from tests.jobs.facts.readings_as_json import NOW, TOPIC, records


def said(decoded: DataFrame) -> list[dict[str, Any]]:
    times = {name: F.col(name).cast("string") for name, kind in decoded.dtypes if kind == "timestamp"}
    rows = [row.asDict(recursive=True) for row in decoded.withColumns(times).collect()]  # Python ends at year 9999
    return sorted(rows, key=lambda row: row["record_offset"])


def same(spark: SparkSession, values: Sequence[tuple[bytes | None, bytes | None]], topic: Any = TOPIC) -> list[Any]:
    """Looked at and settled, which must be what the gate says; the rows that were certain at a look."""
    some = records(spark, values).persist()
    looked = fast_decoder.decode(some, topic, {}, LatenessRule(60), task_facts.accumulator(spark)).persist()
    assert said(fast_decoder.resolve_doubtful(some, looked, topic)) == said(gate.decode(some, topic))
    return said(fast_decoder.good_events(looked))


def at_a_look(values: list[bytes], topic: Any = TOPIC) -> list[datetime | None]:
    """The event time of each record of one block that is certain at a look; None of the others."""
    columns = StructType([*topic.COLUMNS, StructField("event_time", TimestampType())])
    batch = pa.record_batch(
        {
            "key": pa.array([b"k"] * len(values), pa.binary()),
            "value": pa.array(values, pa.binary()),
            "timestamp": pa.array([NOW] * len(values), pa.timestamp("us", "UTC")),
        }
    )
    found = arrow_json.decode_certain(batch, arrow_json.plain_topic(topic, columns))
    times: list[datetime] = found["event_time"].to_pylist()
    return [time if good else None for time, good in zip(times, found["__good"].to_pylist(), strict=True)]
