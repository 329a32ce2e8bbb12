"""The gate: every kind of bad record has its reason and field, and what is written a little unusually is still good."""

import json
import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.events import gate
from tests.jobs.facts.readings_as_json import BAD, CLICKS, FINE, GOOD, NOW, TOPIC, but, frame


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, Any]:
    """By the name of a case, what the gate makes of it; one pass for all of them."""
    cases = {**{name: case[0] for name, case in BAD.items()}, **FINE}
    values = [(b"k", value) for value in cases.values()] + [(None, GOOD)]
    decoded = gate.decode(frame(spark, values), TOPIC).drop("__raw")
    rows = decoded.withColumn("event_time", decoded.event_time.cast("string")).drop("taken_time").collect()
    names = [*cases, "no key"]
    assert sorted(row.record_offset for row in rows) == list(range(len(names)))
    return {names[row.record_offset]: row for row in rows}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_record_has_its_reason(case: str, judged: dict[str, Any]) -> None:
    assert judged[case]["__fault"] is not None
    assert tuple(judged[case]["__fault"]) == BAD[case][1:]
    assert judged[case].event_time is None


def test_a_record_without_the_key_that_the_topic_needs_is_bad(judged: dict[str, Any]) -> None:
    assert tuple(judged["no key"]["__fault"]) == ("null_key", "device")


@pytest.mark.parametrize("case", FINE)
def test_a_good_record_has_its_values(case: str, judged: dict[str, Any]) -> None:
    row, values = judged[case], json.loads(FINE[case])
    assert row["__fault"] is None
    expected = values["site"].encode("utf-8", "replace").decode()  # half a pair is a question mark
    level = None if values.get("level") is None else float(values["level"])
    assert (row.site, row.reading, row.level) == (expected, float(values["reading"]), level)
    assert row.level != 0 or math.copysign(1, row.level) == 1
    moment = datetime.fromisoformat(values["taken_time"]).astimezone(UTC)
    assert datetime.fromisoformat(row.event_time).replace(tzinfo=UTC) == moment


def test_good_and_bad_are_all_and_the_bad_are_kept_as_they_came(spark: SparkSession) -> None:
    some = [GOOD, b"hello", None, b"\xff", but(site=5), GOOD]
    decoded = gate.decode(frame(spark, [(b"\x00\xff", value) for value in some]), TOPIC)
    good = [row.record_offset for row in gate.good_events(decoded).select("record_offset").collect()]
    bad = {row.offset: row for row in gate.bad_records(decoded, "readings").collect()}
    assert sorted([*good, *bad]) == list(range(len(some)))
    assert {offset: row.value and bytes(row.value) for offset, row in bad.items()} == {1: b"hello", 2: None, 3: b"\xff",
                                                                                       4: but(site=5)}  # fmt: skip
    assert {bytes(row.key) for row in bad.values()} == {b"\x00\xff"}
    assert {(row.topic, row.partition, row.timestampType) for row in bad.values()} == {("readings", 0, 0)}


def test_event_time_in_milliseconds(spark: SparkSession) -> None:
    now = int(NOW.timestamp() * 1000)
    day = int(timedelta(days=1).total_seconds() * 1000)
    cases: list[tuple[object, tuple[str, str] | None]] = [
        (now, None),
        (0, None),
        (now + day, None),
        (now + day + 1, ("time_after_record", "at_ms")),
        (-1, ("time_before_1970", "at_ms")),
        (9_000_000_000_000_000_000, ("time_after_record", "at_ms")),
        (-9_000_000_000_000_000_000, ("time_before_1970", "at_ms")),
        (10**19, ("wrong_type", "at_ms")),
        (1.5, ("wrong_type", "at_ms")),
        ("soon", ("wrong_type", "at_ms")),
        (None, ("missing_field", "at_ms")),
    ]
    values = [(None, json.dumps({"at_ms": time}).encode()) for time, _ in cases]
    rows = gate.decode(frame(spark, values, "clicks"), CLICKS).orderBy("record_offset").collect()
    assert [row["__fault"] and tuple(row["__fault"]) for row in rows] == [fault for _, fault in cases]
    good = [row.event_time.replace(tzinfo=UTC) for row in rows if not row["__fault"]]
    assert good == [NOW, datetime(1970, 1, 1, tzinfo=UTC), NOW + timedelta(days=1)]


def test_each_type_stays_what_the_schema_file_says(spark: SparkSession) -> None:
    kinds = ["tinyint", "smallint", "int", "bigint", "float", "double", "decimal(9,2)", "boolean", "date", "timestamp"]
    columns = spark.createDataFrame(
        [], ", ".join(f"c{n} {kind}" for n, kind in enumerate(["timestamp", *kinds]))
    ).schema
    topic = SimpleNamespace(TOPIC="t", KEY=None, EVENT_TIME="c0", COLUMNS=columns)
    decoded = gate.decode(frame(spark, []), topic)
    assert [decoded.schema[field.name].dataType for field in columns] == [field.dataType for field in columns]
