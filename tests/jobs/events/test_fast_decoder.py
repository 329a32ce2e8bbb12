"""The quick look: with the gate behind it, it says of every record what the gate alone says, in blocks of any size."""

import json
import random
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DecimalType,
    IntegerType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.events import fast_decoder, gate, task_facts
from jobs.events.lateness_rule import LatenessRule
from schemas import archive
from tests.jobs.facts.readings_as_json import CLICKS, GOOD, NOW, TOPIC, VALUES, but, frame, records
from tests.jobs.facts.two_decoders import at_a_look, same

DICE = random.Random(7)


def test_every_odd_record_alone_in_a_block_of_good_ones(spark: SparkSession) -> None:
    values = [(b"k", value) for odd in VALUES for value in [GOOD] * 16 + [odd] + [GOOD] * 16]
    certain = same(spark, values)
    assert len(certain) > len(values) / 2  # a bad record does not take all others with it


def test_all_odd_records_in_one_block_and_keys_that_are_null(spark: SparkSession) -> None:
    shuffled = DICE.sample(VALUES, len(VALUES))
    same(spark, [(DICE.choice([b"k", b"k", None]), value) for value in shuffled])


def test_good_records_are_certain() -> None:
    plain = [
        GOOD,
        GOOD.replace(b"north", "Åre 北京".encode()),
        but(level=None),
        but(more=1),
        but(site="a\tb"),
        but(taken_time="2013-05-30 23:59:59"),
    ]
    assert None not in at_a_look(plain * 5)


def test_times_in_milliseconds_from_1970_to_a_day_ahead_and_dates_written_in_one_way_are_certain(
    spark: SparkSession,
) -> None:
    columns = StructType([*CLICKS.COLUMNS, StructField("day", DateType(), True)])
    topic = type(CLICKS)(**(vars(CLICKS) | {"COLUMNS": columns}))
    now, day = int(NOW.timestamp() * 1000), 86_400_000
    times = [now, 0, now + day, now + day + 1, -1, 9 * 10**18, -9 * 10**18, None, 10**19, 1.5, "soon"]
    days = ["2013-06-01", None, "2013-02-29", "2013-6-1", "2013-06-01T00:00:00Z", 5]
    cases = [{"at_ms": time, "page": "p"} for time in times] + [{"at_ms": 5, "day": day} for day in days]
    values = [(None, json.dumps(case).encode()) for case in cases for _ in range(32)]
    certain = {row["record_offset"] // 32 for row in same(spark, values, topic)}
    assert certain == {0, 1, 2, len(times), len(times) + 1}


def test_a_block_in_which_no_record_has_a_time_or_a_day_is_certain() -> None:
    columns = StructType(
        [*CLICKS.COLUMNS, StructField("day", DateType(), True), StructField("at", TimestampType(), True)]
    )
    for zone in ("UTC", "Europe/Berlin"):
        topic = type(CLICKS)(**(vars(CLICKS) | {"COLUMNS": columns, "ZONE": zone}))
        assert None not in at_a_look([b'{"at_ms":5,"day":null}'] * 32, topic)


LEFT_TO_THE_GATE = {
    "decimal(9,2)": (DecimalType(9, 2), "1.25"),
    "struct<a:array<int>>": (StructType([StructField("a", ArrayType(IntegerType()))]), '{"a":[1]}'),
    "array<int>": (ArrayType(IntegerType()), "[1,2]"),
}


def with_columns(*kinds: DataType) -> Any:
    more = [StructField(f"more{number}", kind, True) for number, kind in enumerate(kinds)]
    return type(CLICKS)(**(vars(CLICKS) | {"COLUMNS": StructType([*CLICKS.COLUMNS, *more])}))


@pytest.mark.parametrize("kind", LEFT_TO_THE_GATE)
def test_a_type_that_arrow_reads_otherwise_is_left_to_the_gate(kind: str) -> None:
    column, text = LEFT_TO_THE_GATE[kind]
    for written in (f'{{"at_ms":5,"more0":{text}}}', '{"at_ms":5}'):
        assert at_a_look([written.encode()] * 64, with_columns(column)) == [None] * 64


def test_the_gate_settles_what_is_left_to_it(spark: SparkSession) -> None:
    topic = with_columns(*(column for column, _ in LEFT_TO_THE_GATE.values()))
    fields = ",".join(f'"more{number}":{text}' for number, (_, text) in enumerate(LEFT_TO_THE_GATE.values()))
    assert same(spark, [(None, f'{{"at_ms":5,{fields}}}'.encode())] * 3, topic) == []


def test_headers_of_a_doubtful_record_are_kept(spark: SparkSession) -> None:
    headers = [[("a", b"\x00\xff"), ("b", None), ("a", b"")], [], None]
    moment = NOW.replace(tzinfo=None)
    headers.append([("large", b"x" * fast_decoder.LONGEST_BYTES)])
    rows = [(b"k", b"no", "readings", 0, offset, moment, 1, some) for offset, some in enumerate(headers)]
    made = spark.createDataFrame(rows, archive.COLUMNS).coalesce(1)
    looked = fast_decoder.decode(made, TOPIC, {}, LatenessRule(60), task_facts.accumulator(spark))
    bad = gate.bad_records(fast_decoder.resolve_doubtful(made, looked, TOPIC), "readings").orderBy("offset").collect()
    kept = [row.headers and [(h.key, h.value and bytes(h.value)) for h in row.headers] for row in bad]
    assert kept == [[("a", b"\x00\xff"), ("b", None), ("a", b"")], [], None, headers[-1]]
    assert {row.timestampType for row in bad} == {1}


def test_facts_of_each_partition(spark: SparkSession) -> None:
    minutes = [0, 5, 3, 9, 9, 1] + [9] * 26
    values = [but(taken_time=f"2013-06-01T11:{minute:02}:00Z") for minute in minutes] + [b"bad"] * 32
    seen = task_facts.accumulator(spark)
    assert (
        fast_decoder.decode(
            records(spark, [(b"k", value) for value in values]), TOPIC, {}, LatenessRule(120), seen
        ).count()
        == 64
    )
    [((partition, first), facts)] = task_facts.drain(seen).items()
    assert (partition, first) == (0, 0)
    ends = tuple(facts[name] for name in ("records", "quarantined", "out_of_order", "late", "in_order"))
    assert ends == (64, 32, 2, 1, True)  # 2 and 8 minutes behind
    assert facts["stream_micros"] == int(NOW.timestamp() - 3600 + 9 * 60) * 1_000_000


def test_records_in_another_order_are_noticed(spark: SparkSession) -> None:
    backwards = frame(spark, [(b"k", GOOD)] * 3).orderBy("offset", ascending=False).coalesce(1)
    seen = task_facts.accumulator(spark)
    assert fast_decoder.decode(backwards, TOPIC, {}, LatenessRule(60), seen).count() == 3
    assert not task_facts.partitions_read_whole(task_facts.drain(seen))


def test_the_columns_of_events_are_those_of_the_gate(spark: SparkSession) -> None:
    """They are known without Spark. Null may stand everywhere, also inside, whatever the schema file says."""
    inner = StructType([StructField("a", IntegerType(), False), StructField("b", ArrayType(DecimalType(9, 2), False))])
    columns = StructType(
        [
            StructField("at", TimestampType(), False, {"comment": "When."}),
            StructField("inner", inner, False),
            StructField("names", MapType(StringType(), DateType(), False)),
        ]
    )
    topic = type(CLICKS)(**(vars(CLICKS) | {"COLUMNS": columns, "EVENT_TIME": "at"}))
    of_the_gate = gate.good_events(gate.decode(records(spark, [(b"k", GOOD)]), topic)).schema
    columns = fast_decoder.event_columns(topic)
    assert [(each.name, each.dataType) for each in columns] == [(each.name, each.dataType) for each in of_the_gate]
    assert all(each.nullable for each in columns)
