"""The quick look: with the gate behind it, it says of every record what the gate alone says, in blocks of any size."""

import json
import random
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, StructField, StructType

from jobs.events import fast_decoder, gate, task_facts
from schemas import archive
from tests.jobs.events.test_gate import BAD, CLICKS, FINE, GOOD, NOW, TOPIC, but, frame

DICE = random.Random(7)
ODD = {
    "a field twice": GOOD[:-1] + b',"reading":6}',
    "an escape": GOOD.replace(b"north", b"n\\u006frth"),
    "a short escape": but(site='a\tb"c\\d/'),
    "an empty object": b"{}",
    "a carriage return inside": GOOD.replace(b",", b",\r", 1),
    "two lines": GOOD.replace(b",", b",\n", 1),
    "the next object on a line of its own": GOOD + b"\n" + GOOD,
    "an unknown number of 1,000 digits": GOOD[:-1] + b',"more":' + b"7" * 1000 + b"}",
    "an unknown NaN": GOOD[:-1] + b',"more":NaN}',
    "arrays in arrays": GOOD[:-1] + b',"more":' + b"[" * 80 + b"]" * 80 + b"}",
    "long": but(more="x" * 40_000),
    "a comment": GOOD[:-1] + b"/* it is */}",
    "a trailing comma": GOOD[:-1] + b",}",
    "a leading zero": GOOD.replace(b'"reading":5', b'"reading":05'),
    "an exponent for a whole number": GOOD.replace(b'"reading":5', b'"reading":5e0'),
    "minus zero": GOOD.replace(b'"reading":5', b'"reading":-0'),
    "a whole number for a fraction": but(level=3),
    "17 digits": GOOD.replace(b"2475.0", b"0.30000000000000004"),
    "a number too small": GOOD.replace(b"2475.0", b"1e-400"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "a zero byte": GOOD + b"\x00",
    "the 30th of February": but(taken_time="2013-02-30T00:00:00Z"),
    "24 o'clock": but(taken_time="2013-05-30T24:00:00Z"),
    "a leap second": but(taken_time="2013-05-30T23:59:60Z"),
    "a space for the T": but(taken_time="2013-05-30 23:59:59Z"),
    "no zone": but(taken_time="2013-05-30T23:59:59.5"),
    "millionths": but(taken_time="2013-05-30T23:59:59.000001+00:00"),
    "billionths": but(taken_time="2013-05-30T23:59:59.000000001Z"),
    "no seconds": but(taken_time="2013-05-30T23:59Z"),
    "a date for a time": but(taken_time="2013-05-30"),
    "a named zone": but(taken_time="2013-05-30T23:59:59 Europe/Berlin"),
    "a zone of 19 hours": but(taken_time="2013-05-30T23:59:59+19:00"),
}
VALUES = [*(case[0] for case in BAD.values()), *FINE.values(), *ODD.values()]


def records(spark: SparkSession, values: list[tuple[bytes | None, bytes | None]]) -> DataFrame:
    """One partition, in order of offset, as a task of a job gets it."""
    return frame(spark, values).coalesce(1)


def said(decoded: DataFrame) -> list[dict[str, Any]]:
    times = {name: F.col(name).cast("string") for name, kind in decoded.dtypes if kind == "timestamp"}
    rows = [row.asDict(recursive=True) for row in decoded.withColumns(times).collect()]  # Python ends at year 9999
    return sorted(rows, key=lambda row: row["record_offset"])


def same(spark: SparkSession, values: list[tuple[bytes | None, bytes | None]], topic: Any = TOPIC) -> list[Any]:
    """Looked at and settled, which must be what the gate says; the rows that were certain at a look."""
    some = records(spark, values).persist()
    looked = fast_decoder.decode(some, topic, {}, 60, task_facts.accumulator(spark)).persist()
    assert said(fast_decoder.resolve_doubtful(some, looked, topic)) == said(gate.decode(some, topic))
    return said(fast_decoder.good_events(looked))


def test_every_odd_record_alone_in_a_block_of_good_ones(spark: SparkSession) -> None:
    values = [(b"k", value) for odd in VALUES for value in [GOOD] * 16 + [odd] + [GOOD] * 16]
    certain = same(spark, values)
    assert len(certain) > len(values) / 2  # a bad record does not take all others with it


def test_all_odd_records_in_one_block_and_keys_that_are_null(spark: SparkSession) -> None:
    shuffled = DICE.sample(VALUES, len(VALUES))
    same(spark, [(DICE.choice([b"k", b"k", None]), value) for value in shuffled])


def test_good_records_are_certain(spark: SparkSession) -> None:
    plain = [
        GOOD,
        GOOD.replace(b"north", "Åre 北京".encode()),
        but(level=None),
        but(more=1),
        but(site="a\tb"),
        but(taken_time="2013-05-30 23:59:59"),
    ]
    certain = same(spark, [(b"k", value) for value in plain * 5])
    assert [row["record_offset"] for row in certain] == list(range(30))


def test_times_in_milliseconds(spark: SparkSession) -> None:
    now, day = int(NOW.timestamp() * 1000), 86_400_000
    times = [now, 0, now + day, now + day + 1, -1, 9 * 10**18, -9 * 10**18, None, 10**19, 1.5, "soon"]
    values = [(None, json.dumps({"at_ms": time, "page": "p"}).encode()) for time in times for _ in range(32)]
    certain = {row["record_offset"] // 32 for row in same(spark, values, CLICKS)}
    assert certain == {0, 1, 2}


def test_dates(spark: SparkSession) -> None:
    columns = StructType([*CLICKS.COLUMNS, StructField("day", DateType(), True)])
    topic = type(CLICKS)(**(vars(CLICKS) | {"COLUMNS": columns}))
    days = ["2013-06-01", None, "2013-02-29", "2013-6-1", "2013-06-01T00:00:00Z", 5]
    values = [(None, json.dumps({"at_ms": 5, "day": day}).encode()) for day in days for _ in range(32)]
    certain = {row["record_offset"] // 32 for row in same(spark, values, topic)}
    assert certain == {0, 1}


@pytest.mark.parametrize("kind", ["decimal(9,2)", "struct<a:int>", "array<int>"])
def test_types_that_are_left_to_the_gate(spark: SparkSession, kind: str) -> None:
    columns = spark.createDataFrame([], f"at_ms long, more {kind}").schema
    topic = type(CLICKS)(**(vars(CLICKS) | {"COLUMNS": columns}))
    written = {"decimal(9,2)": "1.25", "struct<a:int>": '{"a":1}', "array<int>": "[1,2]"}[kind]
    assert same(spark, [(None, f'{{"at_ms":5,"more":{written}}}'.encode())] * 3, topic) == []


def test_headers_of_a_doubtful_record_are_kept(spark: SparkSession) -> None:
    headers = [[("a", b"\x00\xff"), ("b", None), ("a", b"")], [], None]
    moment = NOW.replace(tzinfo=None)
    headers.append([("large", b"x" * fast_decoder.LONGEST_BYTES)])
    rows = [(b"k", b"no", "readings", 0, offset, moment, 1, some) for offset, some in enumerate(headers)]
    made = spark.createDataFrame(rows, archive.COLUMNS).coalesce(1)
    looked = fast_decoder.decode(made, TOPIC, {}, 60, task_facts.accumulator(spark))
    bad = gate.bad_records(fast_decoder.resolve_doubtful(made, looked, TOPIC), "readings").orderBy("offset").collect()
    kept = [row.headers and [(h.key, h.value and bytes(h.value)) for h in row.headers] for row in bad]
    assert kept == [[("a", b"\x00\xff"), ("b", None), ("a", b"")], [], None, headers[-1]]
    assert {row.timestampType for row in bad} == {1}


def test_facts_of_each_partition(spark: SparkSession) -> None:
    minutes = [0, 5, 3, 9, 9, 1] + [9] * 26
    values = [but(taken_time=f"2013-06-01T11:{minute:02}:00Z") for minute in minutes] + [b"bad"] * 32
    seen = task_facts.accumulator(spark)
    assert fast_decoder.decode(records(spark, [(b"k", value) for value in values]), TOPIC, {}, 120, seen).count() == 64
    [((partition, first), facts)] = task_facts.drain(seen).items()
    assert (partition, first) == (0, 0)
    ends = tuple(facts[name] for name in ("records", "quarantined", "out_of_order", "late", "in_order"))
    assert ends == (64, 32, 2, 1, True)  # 2 and 8 minutes behind
    assert facts["stream_micros"] == int(NOW.timestamp() - 3600 + 9 * 60) * 1_000_000


def test_records_in_another_order_are_noticed(spark: SparkSession) -> None:
    backwards = frame(spark, [(b"k", GOOD)] * 3).orderBy("offset", ascending=False).coalesce(1)
    seen = task_facts.accumulator(spark)
    assert fast_decoder.decode(backwards, TOPIC, {}, 60, seen).count() == 3
    assert not task_facts.partitions_read_whole(task_facts.drain(seen))
