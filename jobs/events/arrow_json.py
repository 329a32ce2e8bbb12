"""Records that are certainly good JSON of a topic, decoded by Arrow to the same values as the gate gives.

Certain are JSON objects on one line, without objects, lists or escapes such as \\u00e5 inside, whose times are written
as ISO-8601. Any other record is doubtful, not bad: the gate judges it.
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
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructType,
    TimestampType,
)

from jobs.events import equality, event_time
from jobs.events.changes.change_form import ChangeForm
from jobs.events.changes.change_topic import row_columns
from jobs.events.event_time import EventTime
from jobs.events.topic_schema import TopicSchema

SMALLEST_BLOCK = 16
"""A block of records that is not certain as a whole is halved, down to this many records."""

_TYPES = (StringType, BooleanType, ByteType, ShortType, IntegerType, LongType, DoubleType, TimestampType, DateType)
"""Types of which Arrow and Spark read the same from JSON."""

_INSTANT = r"^[12]\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-4]):[0-5]\d)?$"
_ZONED = r"(Z|[+-]\d\d:\d\d)$"
_WHOLE = r"^-?\d{1,38}$"
_DAY = r"^[12]\d{3}-\d\d-\d\d$"
_LIST = re.compile(rb":\s*\[")
"""A list begins after a colon; a bracket elsewhere is part of a text."""
_LONG_NUMBER = r"[0-9.eE+-]{100}"
"""The gate takes numbers of some hundred digits only."""


@dataclass(frozen=True)
class PlainTopic:
    """What a Python worker needs to know about a topic."""

    output: pa.Schema
    fields: pa.Schema
    """The topic's columns as JSON has them: times as text."""
    needed: tuple[str, ...]
    event_time: EventTime
    keyed: bool
    readable: bool
    """Whether every column has one of _TYPES, and Arrow can compute the event time."""
    form: ChangeForm | None
    """What makes JSON objects of the records, if they are changes of rows."""
    row_columns: StructType
    """The columns that the form is asked for."""


class NotPlain(Exception):
    """A block of records is not certain as a whole."""


def plain_topic(topic: TopicSchema, output: StructType) -> PlainTopic:
    """What a worker needs of `topic`; `output` has its columns and event_time."""
    kinds = to_arrow_schema(topic.COLUMNS, timezone="UTC")
    form: ChangeForm | None = getattr(topic, "FORM", None)
    # A form writes decimals as texts; as numbers, which other topics have, Arrow would read them as fractions.
    types = (*_TYPES, DecimalType) if form else _TYPES
    fields = [pa.field(f.name, pa.string() if _is_text_in_json(f.type) else f.type) for f in kinds]
    time = event_time.of_topic(topic)
    return PlainTopic(
        to_arrow_schema(output, timezone="UTC"),
        pa.schema(fields),
        tuple(f.name for f in topic.COLUMNS if not f.nullable),
        time,
        topic.KEY is not None,
        all(isinstance(field.dataType, types) for field in topic.COLUMNS) and time.is_quick,
        form,
        row_columns(topic),
    )


def _is_text_in_json(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind) or pa.types.is_decimal(kind))


def decode_certain(
    batch: pa.RecordBatch, topic: PlainTopic, smallest_block: int = SMALLEST_BLOCK
) -> dict[str, pa.Array]:
    """The topic's columns, `event_time`, and `__good`; all of them null where a record is not good.

    A record that is not good takes up to `smallest_block` - 1 good neighbours with it; 1 judges each record alone.
    """
    try:
        return _decode_whole(batch, topic)
    except (NotPlain, pa.ArrowInvalid):
        if batch.num_rows <= smallest_block or not topic.readable:
            names = (*topic.fields.names, "event_time")
            nulls = {name: pa.nulls(batch.num_rows, topic.output.field(name).type) for name in names}
            return nulls | {"__good": pa.repeat(False, batch.num_rows)}
    half = batch.num_rows // 2
    parts = [decode_certain(part, topic, smallest_block) for part in (batch[:half], batch[half:])]
    return {name: pa.concat_arrays([part[name] for part in parts]) for name in parts[0]}


def _decode_whole(batch: pa.RecordBatch, topic: PlainTopic) -> dict[str, pa.Array]:
    """`decode_certain` of a block whose JSON is certain as a whole. Raises NotPlain or pa.ArrowInvalid."""
    parsed, event = _parse(batch, topic), topic.event_time
    kinds = {name: topic.output.field(name).type for name in topic.fields.names}
    kinds |= {"event_time": parsed[event.name].type} if event.name == "event_time" else {}
    columns = {name: _as_type(parsed[name], kinds[name], event.zone) for name in topic.fields.names}
    value = columns[event.name]
    if event.unit is None and pa.types.is_string(value.type):
        value = _as_type(value, pa.timestamp("us", "UTC"), event.zone)
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


def _parse(batch: pa.RecordBatch, topic: PlainTopic) -> dict[str, pa.Array]:
    values = batch["value"]
    if not topic.readable or values.null_count or (topic.keyed and batch["key"].null_count):
        raise NotPlain
    longest = pc.max(pc.binary_length(values)).as_py()
    texts = values.cast(pa.string())  # stops at what is not UTF-8
    if longest > 400 and pc.any(pc.match_substring_regex(texts, _LONG_NUMBER)).as_py():
        raise NotPlain
    whole = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    lines = pc.binary_join(whole, "\n")[0].as_buffer()
    if not _is_plain(lines.to_pybytes(), len(texts)):
        raise NotPlain
    table = pyarrow.json.read_json(
        pa.BufferReader(lines),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=lines.size + 1),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=topic.fields, unexpected_field_behavior="ignore"),
    )
    if table.num_rows != len(texts):
        raise NotPlain
    return {name: table[name].combine_chunks() for name in topic.fields.names}


def _is_plain(lines: bytes, count: int) -> bool:
    """Whether these are `count` lines, each a flat object, with nothing in them that Spark reads differently."""
    return (
        lines.startswith(b"{")
        and lines.endswith(b"}")
        and lines.count(b"}\n{") == lines.count(b"\n") == count - 1
        and lines.count(b"{") == lines.count(b"}") == count
        and not any(sign in lines for sign in (b"\r", b"\\u", b"NaN", b"Infinity"))
        and not (b"[" in lines and _LIST.search(lines))
    )


def _as_type(column: pa.Array, kind: pa.DataType, zone: str) -> pa.Array:
    """A column of JSON in its type: texts as times, fractions with one zero.

    Raises NotPlain if a time is written unusually, or without a zone where that is not UTC; pa.ArrowInvalid if it is
    no time.
    """
    if pa.types.is_decimal(kind):
        digits = rf"^-?\d{{1,{kind.precision - kind.scale}}}(\.\d{{1,{kind.scale}}})?$" if kind.scale else _WHOLE
        if not pc.all(pc.match_substring_regex(column, digits), min_count=0).as_py():
            raise NotPlain
        return column.cast(kind)
    if not pa.types.is_temporal(kind):
        return equality.normalise(column)
    usual = pc.match_substring_regex(column, _DAY if pa.types.is_date(kind) else _INSTANT)
    if not pc.all(usual, min_count=0).as_py():  # none is written in a block of nulls
        raise NotPlain
    if pa.types.is_timestamp(kind):
        zoned = pc.match_substring_regex(column, _ZONED)
        if zone != "UTC" and not pc.all(zoned, min_count=0).as_py():
            raise NotPlain
        column = pc.if_else(zoned, column, pc.binary_join_element_wise(column, "Z", ""))
    return column.cast(kind)
