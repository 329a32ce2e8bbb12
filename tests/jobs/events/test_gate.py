"""The gate: every kind of bad record has its reason and field, and what is written a little unusually is still good."""

import json
import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DoubleType, IntegerType, LongType, StringType, StructField, StructType, TimestampType

from jobs.events import gate
from schemas import archive

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
TOPIC = SimpleNamespace(
    TOPIC="readings",
    KEY="device",
    EVENT_TIME="taken_time",
    COLUMNS=StructType(
        [
            StructField("taken_time", TimestampType(), False),
            StructField("site", StringType(), False),
            StructField("reading", IntegerType(), False),
            StructField("level", DoubleType(), True),
        ]
    ),
)
CLICKS = SimpleNamespace(
    TOPIC="clicks",
    KEY=None,
    EVENT_TIME="at_ms",
    COLUMNS=StructType([StructField("at_ms", LongType(), False), StructField("page", StringType(), True)]),
)
PLAIN: dict[str, Any] = {"taken_time": "2013-06-01T11:00:00Z", "site": "north", "reading": 5, "level": 2475.0}
GOOD = json.dumps(PLAIN, separators=(",", ":")).encode()


def but(**changes: Any) -> bytes:
    return json.dumps(PLAIN | changes).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in PLAIN.items() if key != name}).encode()


BAD: dict[str, tuple[bytes | None, str, str | None]] = {
    "words": (b"hello", "not_json", None),
    "empty": (b"", "not_json", None),
    "white space": (b"  \n", "not_json", None),
    "cut short": (GOOD[:-3], "not_json", None),
    "an array": (b"[" + GOOD + b"]", "not_json", None),
    "a number": (b"5", "not_json", None),
    "null in JSON": (b"null", "not_json", None),
    "single quotes": (GOOD.replace(b'"', b"'"), "not_json", None),
    "nested deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not_json", None),
    "bare NaN": (GOOD.replace(b"2475.0", b"NaN"), "not_json", None),
    "bare Infinity": (GOOD.replace(b"2475.0", b"Infinity"), "not_json", None),
    "no value": (None, "null_value", None),
    "too long": (but(more="x" * 10_000_000), "too_large", None),
    "bytes that are no text": (b"\xff\xfe\x00", "invalid_utf8", None),
    "a byte that is no text in an object": (GOOD.replace(b"north", b"no\xffth"), "invalid_utf8", None),
    "two documents": (GOOD * 2, "trailing_data", None),
    "two documents and a space": (GOOD + b" " + GOOD, "trailing_data", None),
    "words behind": (GOOD + b" x", "trailing_data", None),
    "the rest of an array behind": (GOOD + b",0]", "trailing_data", None),
    "no site": (without("site"), "missing_field", "site"),
    "no time": (without("taken_time"), "missing_field", "taken_time"),
    "null site": (but(site=None), "missing_field", "site"),
    "words for a whole number": (but(reading="many"), "wrong_type", "reading"),
    "a fraction in quotes for a whole number": (but(reading="1.5"), "wrong_type", "reading"),
    "a whole number beyond 32 bits in quotes": (but(reading="3000000000"), "wrong_type", "reading"),
    "a number and a blank in quotes": (but(reading=" 5"), "wrong_type", "reading"),
    "a hexadecimal number in quotes": (but(reading="0x5"), "wrong_type", "reading"),
    "a number with a leading zero in quotes": (but(level="007"), "wrong_type", "level"),
    "a number in quotes that is too large": (but(level="1e999"), "not_finite", "level"),
    "true in quotes": (but(reading="true"), "wrong_type", "reading"),
    "a fraction for a whole number": (but(reading=1.5), "wrong_type", "reading"),
    "too large for 32 bits": (but(reading=3_000_000_000), "wrong_type", "reading"),
    "a number for words": (but(site=5), "wrong_type", "site"),
    "true for words": (but(site=True), "wrong_type", "site"),
    "an object for words": (but(site={"a": "b"}), "wrong_type", "site"),
    "an array for words": (but(site=["north"]), "wrong_type", "site"),
    "words for a number": (but(level="high"), "wrong_type", "level"),
    "words for a time": (but(taken_time="noon"), "wrong_type", "taken_time"),
    "a number for a time": (but(taken_time=5), "wrong_type", "taken_time"),
    "NaN in quotes": (but(level="NaN"), "not_finite", "level"),
    "1e999": (GOOD.replace(b"2475.0", b"1e999"), "not_finite", "level"),
    "before 1970": (but(taken_time="1969-12-31T23:59:59Z"), "time_before_1970", "taken_time"),
    "a day ahead": (but(taken_time="2013-06-02T12:00:00.000001Z"), "time_after_record", "taken_time"),
    "the year 99999": (but(taken_time="+99999-01-01T00:00:00Z"), "time_after_record", "taken_time"),
}
FINE: dict[str, bytes] = {
    "as it should be": GOOD,
    "with spaces": json.dumps(PLAIN).encode(),
    "on many lines": json.dumps(PLAIN, indent=2).encode(),
    "white space before and behind": b" \r\n\t" + GOOD + b" \n",
    "an unknown field": but(more=1),
    "an unknown object": but(more={"a": [{"b": "}"}]}),
    "braces in a string": but(site="a}b{c"),
    "quotes in a string": but(site='a"b\\'),
    "words that look like a number": but(site="5"),
    "words that look like an object": but(site="{x}"),
    "an escaped half of a pair": GOOD.replace(b"north", b"\\ud800"),
    "no level": without("level"),
    "null level": but(level=None),
    "a number in quotes": but(level="-2.5e3"),
    "a whole number in quotes": but(reading="5"),
    "a whole number with a point": but(reading=5.0),
    "a whole number with a point and an exponent": GOOD.replace(b'"reading":5', b'"reading":5.00e0'),
    "all numbers in quotes": but(reading="-5", level="0.010"),
    "brackets in a string": but(site="a [b] :[c]"),
    "negative zero": but(level=-0.0),
    "a negative whole zero": GOOD.replace(b"2475.0", b"-0"),
    "another zone": but(taken_time="2013-06-01T07:00:00-04:00"),
    "exactly 1970": but(taken_time="1970-01-01T00:00:00Z"),
    "exactly a day ahead": but(taken_time="2013-06-02T12:00:00Z"),
    "other alphabets": json.dumps(PLAIN | {"site": "Åre 北京"}, ensure_ascii=False).encode(),
}


def frame(spark: SparkSession, values: list[tuple[bytes | None, bytes | None]], topic: str = "readings") -> DataFrame:
    """Records of (key, value), their offsets in order."""
    moment = NOW.replace(tzinfo=None)
    rows = [(key, value, topic, 0, offset, moment, 0, None) for offset, (key, value) in enumerate(values)]
    return spark.createDataFrame(rows, archive.COLUMNS)


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
