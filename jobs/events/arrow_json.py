"""Records that are plainly good JSON of a topic, decoded by Arrow: exactly as the gate does, so it asks for more.

JSON objects on one line, with neither objects nor lists inside, nor escapes such as \\u00e5, times written as ISO-8601.
A record that is none of that is doubtful, not bad.
"""

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DateType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructType,
    TimestampType,
)

from jobs.events import equality, event_time
from jobs.events.event_time import EventTime
from jobs.events.topic_schema import TopicSchema

LEAST = 16
"""A block that is not good is halved down to so many records."""

_TYPES = (StringType, BooleanType, ByteType, ShortType, IntegerType, LongType, DoubleType, TimestampType, DateType)
"""Types of which Arrow and Spark read the same from JSON."""

_INSTANT = r"^[12]\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)?$"
_ZONED = r"(Z|[+-]\d\d:\d\d)$"
_DAY = r"^[12]\d{3}-\d\d-\d\d$"
_LIST = re.compile(rb":\s*\[")
"""A list begins behind a colon; a bracket elsewhere stands in a text."""
_LONG_NUMBER = r"[0-9.eE+-]{100}"
"""The gate takes numbers of some hundred digits only."""


@dataclass(frozen=True)
class PlainTopic:
    """What a Python worker has to know of a topic."""

    output: pa.Schema
    fields: pa.Schema
    """The topic's columns as they stand in the JSON: times as text."""
    needed: tuple[str, ...]
    event_time: EventTime
    keyed: bool
    readable: bool
    """Whether every column has one of _TYPES, and the event time can be told without the gate."""


class _Doubt(Exception):
    """A block is not good as a whole."""


def described(topic: TopicSchema, output: StructType) -> PlainTopic:
    """The topic; `output` has its columns and event_time."""
    kinds = to_arrow_schema(topic.COLUMNS, timezone="UTC")
    fields = [pa.field(f.name, pa.string() if pa.types.is_temporal(f.type) else f.type) for f in kinds]
    time = event_time.of(topic)
    return PlainTopic(
        to_arrow_schema(output, timezone="UTC"),
        pa.schema(fields),
        tuple(f.name for f in topic.COLUMNS if not f.nullable),
        time,
        topic.KEY is not None,
        all(isinstance(field.dataType, _TYPES) for field in topic.COLUMNS) and time.is_quick,
    )


def certain(batch: pa.RecordBatch, topic: PlainTopic) -> dict[str, pa.Array]:
    """The topic's columns, `event_time`, and `__good`; all of them null where a record is not good."""
    try:
        return _block(batch, topic)
    except (_Doubt, pa.ArrowInvalid):
        if batch.num_rows <= LEAST or not topic.readable:
            names = (*topic.fields.names, "event_time")
            nulls = {name: pa.nulls(batch.num_rows, topic.output.field(name).type) for name in names}
            return nulls | {"__good": pa.repeat(False, batch.num_rows)}
    half = batch.num_rows // 2
    parts = [certain(batch[:half], topic), certain(batch[half:], topic)]
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}


def _block(batch: pa.RecordBatch, topic: PlainTopic) -> dict[str, pa.Array]:
    """`certain` of records whose JSON is good as a whole. Raises _Doubt or pa.ArrowInvalid."""
    parsed, event = _parsed(batch, topic), topic.event_time
    kinds = {name: topic.output.field(name).type for name in topic.fields.names}
    kinds |= {"event_time": parsed[event.name].type} if event.name == "event_time" else {}
    columns = {name: _typed(parsed[name], kinds[name], event.zone) for name in topic.fields.names}
    value = columns[event.name]
    if event.unit is None and pa.types.is_string(value.type):
        value = _typed(value, pa.timestamp("us", "UTC"), event.zone)
    time = event.arrow(value)
    good = pc.is_valid(time)
    if event.max_ahead_seconds is not None:
        latest = pc.add(batch["timestamp"].cast(pa.int64()), event.max_ahead_seconds * 1_000_000)
        good = pc.and_(good, pc.less_equal(time, latest))
    for name in topic.needed:
        good = pc.and_(good, pc.is_valid(columns[name]))
    good = pc.fill_null(good, False)
    columns = {name: pc.if_else(good, column, None) for name, column in columns.items()}
    return columns | {
        "event_time": pc.if_else(good, time, None).cast(topic.output.field("event_time").type),
        "__good": good,
    }


def _parsed(batch: pa.RecordBatch, topic: PlainTopic) -> dict[str, pa.Array]:
    values = batch["value"]
    if not topic.readable or values.null_count or (topic.keyed and batch["key"].null_count):
        raise _Doubt
    longest = pc.max(pc.binary_length(values)).as_py()
    texts = values.cast(pa.string())  # stops at what is not UTF-8
    if longest > 400 and pc.any(pc.match_substring_regex(texts, _LONG_NUMBER)).as_py():
        raise _Doubt
    whole = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    lines = pc.binary_join(whole, "\n")[0].as_buffer()
    if not _is_plain(lines.to_pybytes(), len(texts)):
        raise _Doubt
    found = pyarrow.json.read_json(
        pa.BufferReader(lines),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=lines.size + 1),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=topic.fields, unexpected_field_behavior="ignore"),
    )
    if found.num_rows != len(texts):
        raise _Doubt
    return {name: found[name].combine_chunks() for name in topic.fields.names}


def _is_plain(lines: bytes, count: int) -> bool:
    """Whether these are `count` lines, each from { to }, with no other brace and nothing that Spark reads otherwise."""
    return (
        lines.startswith(b"{")
        and lines.endswith(b"}")
        and lines.count(b"}\n{") == lines.count(b"\n") == count - 1
        and lines.count(b"{") == lines.count(b"}") == count
        and not any(sign in lines for sign in (b"\r", b"\\u", b"NaN", b"Infinity"))
        and not (b"[" in lines and _LIST.search(lines))
    )


def _typed(column: pa.Array, kind: pa.DataType, zone: str) -> pa.Array:
    """Text as times, if that is wanted; fractions with one zero. Raises _Doubt if a time is written unusually, or
    without a zone where that is not UTC, pa.ArrowInvalid if it is none.
    """
    if not pa.types.is_temporal(kind):
        return equality.settled(column)
    usual = pc.match_substring_regex(column, _DAY if pa.types.is_date(kind) else _INSTANT)
    if not pc.all(usual, min_count=0).as_py():  # none is written in a block of nulls
        raise _Doubt
    if pa.types.is_timestamp(kind):
        zoned = pc.match_substring_regex(column, _ZONED)
        if zone != "UTC" and not pc.all(zoned, min_count=0).as_py():
            raise _Doubt
        column = pc.if_else(zoned, column, pc.binary_join_element_wise(column, "Z", ""))
    return column.cast(kind)
