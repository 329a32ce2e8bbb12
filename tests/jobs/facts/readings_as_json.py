"""Records of a topic as they may be written: good, bad, and odd, each case with its name."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DoubleType, IntegerType, LongType, StringType, StructField, StructType, TimestampType

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


def frame(
    spark: SparkSession, values: Sequence[tuple[bytes | None, bytes | None]], topic: str = "readings"
) -> DataFrame:
    """Records of (key, value), their offsets in order."""
    moment = NOW.replace(tzinfo=None)
    rows = [(key, value, topic, 0, offset, moment, 0, None) for offset, (key, value) in enumerate(values)]
    return spark.createDataFrame(rows, archive.COLUMNS)


def records(spark: SparkSession, values: Sequence[tuple[bytes | None, bytes | None]]) -> DataFrame:
    """One partition, in order of offset, as a task of a job gets it."""
    return frame(spark, values).coalesce(1)
