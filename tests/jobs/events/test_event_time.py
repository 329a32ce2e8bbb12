"""When an event happened: however a topic writes it, the quick way, the gate and Python tell the same instant."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from jobs.events import event_time, gate, topic_schema
from jobs.running.errors import Mistake
from tests.jobs.facts.readings_as_json import NOW, records
from tests.jobs.facts.two_decoders import at_a_look, same

EIGHT = datetime(2013, 6, 1, 8, tzinfo=UTC)
SECONDS = int(EIGHT.timestamp())
BERLIN = EIGHT - timedelta(hours=2)
"""8 o'clock there."""
FUTURE, PAST, WRONG, MISSING = "time_after_record", "time_before_1970", "wrong_type", "missing_field"


TWICE, ON_SUMMER_TIME = '"2012-10-28T02:30:00"', datetime(2012, 10, 28, 0, 30, tzinfo=UTC)
"""A time that clocks in Berlin show twice that night: it is the first of the two."""
NEVER, NOT_SET_YET = '"2013-03-31T02:30:00"', datetime(2013, 3, 31, 1, 30, tzinfo=UTC)
"""One that they do not show, as they are set forward."""


def a_topic(kind: DataType, **more: Any) -> Any:
    columns = StructType([StructField("at", kind, True), StructField("v", IntegerType(), True)])
    return SimpleNamespace(**({"TOPIC": "t", "KEY": None, "EVENT_TIME": "at", "COLUMNS": columns} | more))


def micro(number: int) -> timedelta:
    return timedelta(microseconds=number)


Cases = list[tuple[str, datetime | str]]
"""JSON of the event time, and the instant, or why there is none."""
# ruff: noqa: E501
KINDS: dict[str, tuple[Any, Cases]] = {
    "bigint, not said": (
        a_topic(LongType()),
        [(f"{SECONDS}001", EIGHT + timedelta(milliseconds=1)), ("-1", PAST), ("253370764800000", FUTURE)],
    ),
    "bigint seconds": (
        a_topic(LongType(), EVENT_TIME_UNIT="seconds"),
        [(f"{SECONDS}", EIGHT), ("0", datetime(1970, 1, 1, tzinfo=UTC)), (f"{SECONDS}000", FUTURE), ("null", MISSING),
         (f'"{SECONDS}"', EIGHT), (f"{SECONDS}.0", EIGHT), (f"{SECONDS}.5", WRONG), (f"{2**63 - 1}", FUTURE), ("-5", PAST)],
    ),
    "int seconds": (a_topic(IntegerType(), EVENT_TIME_UNIT="seconds"), [(f"{SECONDS}", EIGHT), (f"{2**31}", WRONG)]),
    "bigint microseconds": (
        a_topic(LongType(), EVENT_TIME_UNIT="microseconds"),
        [(f"{SECONDS}000001", EIGHT + micro(1)), (f"{SECONDS}000001000", FUTURE)],
    ),
    "bigint nanoseconds": (
        a_topic(LongType(), EVENT_TIME_UNIT="nanoseconds"),
        [(f"{SECONDS}000001999", EIGHT + micro(1)), (f"{2**63 - 1}", FUTURE), ("-999", PAST)],
    ),
    "double seconds": (
        a_topic(DoubleType(), EVENT_TIME_UNIT="seconds"),
        [(f"{SECONDS}.25", EIGHT + micro(250_000)), (f"{SECONDS}", EIGHT), (f"{SECONDS}.000001", EIGHT + micro(1)),
         (f"{SECONDS}e0", EIGHT), ("-0.25", PAST), ("-0", datetime(1970, 1, 1, tzinfo=UTC)), ("1e300", FUTURE), ('"NaN"', "not_finite"),
         (f'"{SECONDS}.25"', EIGHT + micro(250_000))],
    ),
    "double milliseconds": (
        a_topic(DoubleType(), EVENT_TIME_UNIT="milliseconds"), [(f"{SECONDS}000.5", EIGHT + micro(500))],
    ),
    "double nanoseconds": (a_topic(DoubleType(), EVENT_TIME_UNIT="nanoseconds"), [(f"{SECONDS}000002000", EIGHT + micro(2))]),
    "decimal seconds": (
        a_topic(DecimalType(38, 18), EVENT_TIME_UNIT="seconds"),
        [(f"{SECONDS}.250000999", EIGHT + micro(250_000)), ("-0.1", PAST), (f"{10**19}", FUTURE)],
    ),
    "decimal nanoseconds": (
        a_topic(DecimalType(38, 0), EVENT_TIME_UNIT="nanoseconds"), [(f"{SECONDS}000002999", EIGHT + micro(2)), (f"{10**37}", FUTURE)],
    ),
    "digits, seconds": (
        a_topic(StringType(), EVENT_TIME_UNIT="seconds"),
        [(f'"{SECONDS}"', EIGHT), (f'"{SECONDS}.25"', EIGHT + micro(250_000)), (f"{SECONDS}", WRONG), ('"0x5"', WRONG),
         ('"soon"', WRONG), ('""', WRONG), ('"-5"', PAST), (f'"{SECONDS}000000000"', FUTURE), ("null", MISSING)],
    ),
    "digits, milliseconds": (a_topic(StringType(), EVENT_TIME_UNIT="milliseconds"), [(f'"{SECONDS}007"', EIGHT + micro(7000))]),
    "digits, nanoseconds": (a_topic(StringType(), EVENT_TIME_UNIT="nanoseconds"), [(f'"{SECONDS}000002999"', EIGHT + micro(2))]),
    "text": (
        a_topic(StringType()),
        [('"2013-06-01T08:00:00Z"', EIGHT), ('"2013-06-01 08:00:00"', EIGHT), ('"2013-06-01T10:00:00+02:00"', EIGHT),
         ('"2013-06-01T08:00"', EIGHT), ('"2013-06-01"', EIGHT.replace(hour=0)), ('"08:00"', WRONG), ('"T08:00"', WRONG),
         ('"2013-06-01T24:00:00Z"', WRONG), ('"2013"', WRONG), ('"now"', WRONG), ('"1969-12-31T23:59:59Z"', PAST)],
    ),
    "text in a zone": (
        a_topic(StringType(), ZONE="Europe/Berlin"),
        [('"2013-03-31T01:59:59"', datetime(2013, 3, 31, 0, 59, 59, tzinfo=UTC)), (TWICE, ON_SUMMER_TIME), (NEVER, NOT_SET_YET),
         ('"2013-06-01T08:00:00"', BERLIN), ('"2013-06-01T08:00:00Z"', EIGHT), ('"2013-06-01"', BERLIN - timedelta(hours=8))],
    ),
    "timestamp in a zone": (
        a_topic(TimestampType(), ZONE="Europe/Berlin"),
        [('"2013-06-01T08:00:00.25"', BERLIN + micro(250_000)), (TWICE, ON_SUMMER_TIME), (NEVER, NOT_SET_YET),
         ('"2013-06-01T08:00:00"', BERLIN), ('"2013-06-01T08:00:00Z"', EIGHT), ('"2013-06-01T08:00:00.5+00:00"', EIGHT + micro(500_000))],
    ),
    "date": (
        a_topic(DateType()),
        [('"2013-06-01"', EIGHT.replace(hour=0)), ('"2013-06-03"', FUTURE), ('"1969-12-31"', PAST), ("5", WRONG), ("null", MISSING)],
    ),
    "date without a midnight": (
        a_topic(DateType(), ZONE="America/Sao_Paulo"), [('"2012-10-21"', datetime(2012, 10, 21, 3, tzinfo=UTC))],
    ),
    "date in a zone": (a_topic(DateType(), ZONE="Europe/Berlin"), [('"2013-06-01"', BERLIN - timedelta(hours=8))]),
    "ahead of the record by a week": (
        a_topic(TimestampType(), MAX_AHEAD="1 week"),
        [('"2013-06-08T12:00:00Z"', NOW + timedelta(days=7)), ('"2013-06-08T12:00:01Z"', FUTURE)],
    ),
    "ahead of a record that is not trusted": (
        a_topic(TimestampType(), MAX_AHEAD=None),
        [('"2113-06-01T08:00:00Z"', EIGHT.replace(year=2113)), ('"9998-12-31T23:59:59Z"', datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
         ('"9999-01-01T00:00:00Z"', "time_after_9998"), ('"+99999-01-01T00:00:00Z"', "time_after_9998")],
    ),
}  # fmt: skip


SLOW = ("decimal seconds", "decimal nanoseconds")
"""Only the gate can tell these."""


def json_of(cases: Cases) -> list[bytes]:
    return [f'{{"at":{text},"v":1}}'.encode() for text, _ in cases]


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, list[Row]]:
    """What the gate makes of the cases of each kind, in their order; one pass for all of them."""
    ways = []
    for name, (schema, cases) in KINDS.items():
        decoded = gate.decode(records(spark, [(None, value) for value in json_of(cases)]), schema)
        instant = F.unix_micros("event_time").alias("micros")
        ways.append(decoded.select(F.lit(name).alias("kind"), "record_offset", "__fault", instant))
    rows = sorted(reduce(DataFrame.unionAll, ways).collect(), key=lambda row: row.record_offset)
    return {name: [row for row in rows if row.kind == name] for name in KINDS}


@pytest.mark.parametrize("name", KINDS)
def test_the_gate_and_python_tell_the_same_instant(name: str, judged: dict[str, list[Row]]) -> None:
    schema, cases = KINDS[name]
    event = event_time.of_topic(schema)
    for row, (text, due) in zip(judged[name], cases, strict=True):
        if isinstance(due, str):
            assert tuple(row["__fault"]) == (due, "at"), text
        else:
            assert row["__fault"] is None, (text, row["__fault"])
            assert datetime(1970, 1, 1, tzinfo=UTC) + micro(row["micros"]) == due, text
            assert event.moment(json.loads(text, parse_float=Decimal)) == due, text


@pytest.mark.parametrize("name", KINDS)
def test_the_quick_way_tells_the_same_instant_or_leaves_the_record_to_the_gate(name: str) -> None:
    schema, cases = KINDS[name]
    good = [case for case in cases if isinstance(case[1], datetime)]
    cases = [*cases, *[good[0]] * 64]  # blocks of their own
    certain = 0
    for (text, due), found in zip(cases, at_a_look(json_of(cases), schema), strict=True):
        assert found in (None, due), text
        certain += found is not None
    assert certain >= 32 if name not in SLOW else not certain, "what is written as it should be is read the quick way"


def test_the_records_own_timestamp(spark: SparkSession) -> None:
    columns = StructType([StructField("v", IntegerType(), False)])
    schema = SimpleNamespace(TOPIC="t", KEY=None, EVENT_TIME=None, COLUMNS=columns)
    values = [(None, b'{"v":1}')] * 32 + [(None, b'{"v":"x"}')] * 32
    certain = same(spark, values, schema)
    assert [row["event_time"] for row in certain] == [NOW.strftime("%Y-%m-%d %H:%M:%S")] * 32
    old = records(spark, [(None, b'{"v":1}')]).withColumn("timestamp", F.timestamp_millis(F.lit(-1)))
    [row] = gate.bad_records(gate.decode(old, schema), "t").collect()
    assert (row.reason, row.field) == (PAST, "record_timestamp")
    assert event_time.of_topic(schema).definition() == "record_timestamp"


INSIDE = StructType(
    [
        StructField("at", StringType()),
        StructField("when", TimestampType()),
        StructField("n", StructType([StructField("x", DoubleType()), StructField("day", DateType())])),
        StructField("id", LongType()),
    ]
)
SECONDS_INSIDE = {"EVENT_TIME": "m.id", "EVENT_TIME_UNIT": "seconds"}


@pytest.mark.parametrize("more", [{"EVENT_TIME": "m.at", "ZONE": "America/New_York"}, {"EVENT_TIME": "m.when"},
                                  SECONDS_INSIDE, {"EVENT_TIME": None}], ids=str)  # fmt: skip
def test_random_objects_are_the_same_on_the_quick_way_as_on_the_gates(spark: SparkSession, more: Any) -> None:
    dice = random.Random(11)
    ends = ["", "Z", "+02:00", ".5", ".000001Z"]

    def time() -> Any:
        moment = datetime(2012, 10, 28) + timedelta(minutes=30 * dice.randrange(-400, 400))
        return dice.choice([f"{moment:%Y-%m-%dT%H:%M:%S}{dice.choice(ends)}"] * 8 + [None, 5, "noon", ""])

    def value() -> bytes:
        inner = {"x": dice.choice([1.5, 2, -0.0, 0.0, None, 1e300, "3"]), "day": dice.choice(["2012-02-29", None, "x"])}
        inside: Any = {"at": time(), "when": time(), "n": dice.choice([inner, inner, inner, None, {}, []])}
        inside |= {"id": dice.choice([SECONDS, SECONDS, -1, None, "7", 10**12])}
        if dice.random() < 0.1:
            inside = dice.choice([None, {}, 5, [inside], {**inside, "n": {"x": {"y": 1}}}])
        made = {"m": inside, "v": dice.choice([1, 1, None, "1"]), "more": dice.choice([1, {"a": [{"b": "}{"}]}, [[]]])}
        text = json.dumps(made, separators=dice.choice([(",", ":"), (", ", ": ")]))
        return dice.choice([text] * 20 + [text * 2, text + "}", text[:-1], text.replace("}", "}}", 1)]).encode()

    columns = StructType([StructField("m", INSIDE, False), StructField("v", IntegerType())])
    schema = SimpleNamespace(**({"TOPIC": "t", "KEY": None, "COLUMNS": columns, "MAX_AHEAD": None} | more))
    schema.MAX_AHEAD = None
    values = [(None, value()) for _ in range(300)]
    plain = {"at": "2012-11-05T00:30:00Z", "when": "2012-11-05T00:30:00Z", "n": {"x": 1.5, "day": None}, "id": SECONDS}
    good = json.dumps({"m": plain, "v": 1, "more": {"a": [1, {"b": "}"}]}}).encode()
    assert len(same(spark, [*values, *[(None, good)] * 64], schema)) >= 32


def test_a_line_break_in_a_text_does_not_make_two_records_of_one() -> None:
    schema = a_topic(
        StringType(), COLUMNS=StructType([StructField("at", StringType()), StructField("a", StringType())])
    )
    values = [
        b'{"at":"2013-06-01T08:00:00Z","a":"}',
        b'{"}',
        b'{"at":"2013-06-01T08:00:00Z"}{"at":"2013-06-01T08:00:00Z"}',
    ]
    assert at_a_look(values * 16, schema) == [None] * 48


def test_an_event_time_inside_of_a_column(spark: SparkSession) -> None:
    meta = StructType([StructField("dt", TimestampType()), StructField("a.b", StringType())])
    columns = StructType([StructField("meta", meta, False), StructField("wiki", StringType(), True)])
    schema = SimpleNamespace(TOPIC="t", KEY=None, EVENT_TIME="meta.dt", COLUMNS=columns)
    cases: list[tuple[str, str | None]] = [
        ('{"meta":{"dt":"2013-06-01T08:00:00Z"},"wiki":"de"}', None),
        ('{"meta":{"dt":"2013-06-01T08:00:00Z","more":[1,{"x":2}]},"wiki":null}', None),
        ('{"meta":{"domain":"x"},"wiki":"de"}', MISSING),
        ('{"meta":{"dt":null},"wiki":"de"}', MISSING),
        ('{"meta":{"dt":"noon"},"wiki":"de"}', WRONG),
        ('{"meta":{"dt":"2113-06-01T08:00:00Z"},"wiki":"de"}', FUTURE),
    ]
    values = [(None, value.encode()) for value, _ in cases]
    same(spark, values, schema)
    assert None not in at_a_look([cases[0][0].encode(), cases[1][0].encode()] * 32, schema)
    rows = gate.decode(records(spark, values), schema).orderBy("record_offset").collect()
    assert [row["__fault"] and tuple(row["__fault"]) for row in rows] == [due and (due, "meta.dt") for _, due in cases]
    assert {row.event_time.replace(tzinfo=UTC) for row in rows[:2]} == {EIGHT}


REFUSED: dict[str, tuple[Any, str]] = {
    "double without a unit": (a_topic(DoubleType()), r'at is double: say in which unit .*EVENT_TIME_UNIT = "seconds"'),
    "int without a unit": (a_topic(IntegerType()), "at is int: say in which unit"),
    "decimal without a unit": (a_topic(DecimalType(20, 3)), r"at is decimal\(20,3\): say in which unit"),
    "float": (a_topic(FloatType(), EVENT_TIME_UNIT="seconds"), "at is float; it may be timestamp, date"),
    "a list": (a_topic(ArrayType(TimestampType())), "at is array<timestamp>; it may be timestamp, date"),
    "a time without zones": (a_topic(TimestampNTZType()), "at is timestamp_ntz; take TimestampType"),
    "a unit that is none": (
        a_topic(LongType(), EVENT_TIME_UNIT="ms"),
        "EVENT_TIME_UNIT is ms; take one of seconds, mill",
    ),
    "a unit of a date": (a_topic(DateType(), EVENT_TIME_UNIT="seconds"), "date, which has no unit"),
    "a zone that is none": (a_topic(DateType(), ZONE="Europe/Bärlin"), "no time zone of this name"),
    "a zone that is a path": (a_topic(DateType(), ZONE="../etc/passwd"), "no time zone of this name"),
    "a column that is not there": (
        a_topic(LongType(), EVENT_TIME="when"),
        "names when, which is not in COLUMNS; there are at, v",
    ),
    "a way that leads nowhere": (a_topic(LongType(), EVENT_TIME="at.dt"), "names at.dt, which is not in COLUMNS"),
    "a column with fields": (
        a_topic(StructType([StructField("dt", TimestampType())])),
        r'at is struct<dt:timestamp>; .*; name a field inside it: "at.dt"',
    ),
    "a unit of the record's timestamp": (
        a_topic(LongType(), EVENT_TIME=None, EVENT_TIME_UNIT="seconds"),
        "EVENT_TIME is None, .* leave EVENT_TIME_UNIT out",
    ),
    "a length that is none": (a_topic(LongType(), MAX_AHEAD="a day"), "not a duration"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_event_time_that_cannot_be_is_refused_by_name(name: str) -> None:
    schema, said = REFUSED[name]
    with pytest.raises(Mistake, match=said):
        topic_schema.check(schema)
        event_time.of_topic(schema)


def test_a_definition_says_what_differs_from_the_default() -> None:
    def shown(*arguments: Any, **more: Any) -> str:
        return event_time.of_topic(a_topic(*arguments, **more)).definition()

    assert shown(LongType()) == shown(LongType(), EVENT_TIME_UNIT="milliseconds") == shown(TimestampType()) == "at"
    assert shown(LongType(), EVENT_TIME_UNIT="seconds") == "at (seconds)"
    assert shown(DateType(), ZONE="Asia/Tokyo") == "at (Asia/Tokyo)"
