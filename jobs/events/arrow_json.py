"""Records that are certainly good JSON of a topic, decoded by Arrow to the same values as the gate gives.

Certain are JSON objects on one line, without escapes such as \\u00e5, whose times are written as ISO-8601. They may
have objects inside, also as columns, and lists where no column is. Any other record is doubtful, not bad: the gate
judges it.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.events import equality, event_time, local_times
from jobs.events.changes.change_form import ChangeForm
from jobs.events.changes.change_topic import row_columns
from jobs.events.encodings import topic_encoding
from jobs.events.encodings.topic_encoding import TopicEncoding
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
DEEPEST = 60
"""A record with more brackets may be nested deeper than the gate takes, which is 64 levels."""
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
    """Whether every column has one of _TYPES, or is a struct of such, and Arrow can compute the event time."""
    form: ChangeForm | None
    """What makes JSON objects of the records, if they are changes of rows."""
    row_columns: StructType
    """The columns that the form is asked for."""
    encoding: TopicEncoding | None
    """What makes JSON of the records, if they are encoded otherwise."""


class NotPlain(Exception):
    """A block of records is not certain as a whole."""


def plain_topic(topic: TopicSchema, output: StructType) -> PlainTopic:
    """What a worker needs of `topic`; `output` has its columns and event_time."""
    kinds = to_arrow_schema(topic.COLUMNS, timezone="UTC")
    form: ChangeForm | None = getattr(topic, "FORM", None)
    fields = [pa.field(f.name, _type_in_json(f.type)) for f in kinds]
    time = event_time.of_topic(topic)
    return PlainTopic(
        to_arrow_schema(output, timezone="UTC"),
        pa.schema(fields),
        tuple(f.name for f in topic.COLUMNS if not f.nullable),
        time,
        topic.KEY is not None,
        not readable_part(topic)[1] and time.is_quick,
        form,
        row_columns(topic),
        topic_encoding.of_topic(topic),
    )


def readable_part(topic: TopicSchema) -> tuple[StructType, list[str]]:
    """The columns of the topic, and fields inside of columns, that Arrow reads; and the names of the others, such as
    tags, meta.tags.
    """
    return _readable_part(topic.COLUMNS, _types(topic), "")


def _readable_part(kind: StructType, types: tuple[type[DataType], ...], above: str) -> tuple[StructType, list[str]]:
    kept, left_out = [], []
    for field in kind:
        name = f"{above}{field.name}"
        if isinstance(field.dataType, StructType):
            inside, without = _readable_part(field.dataType, types, f"{name}.")
            if len(inside):
                kept.append(StructField(field.name, inside, field.nullable))
                left_out += without
            else:
                left_out.append(name)
        elif isinstance(field.dataType, types):
            kept.append(field)
        else:
            left_out.append(name)
    return StructType(kept), left_out


def _types(topic: TopicSchema) -> tuple[type[DataType], ...]:
    """The types that are readable in this topic. Encoded records and changes of rows have decimals as texts; as
    numbers, which others have, Arrow would read them as fractions.
    """
    return (*_TYPES, DecimalType) if getattr(topic, "FORM", None) or topic_encoding.of_topic(topic) else _TYPES


def _type_in_json(kind: pa.DataType) -> pa.DataType:
    """Times and decimals are texts there."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _type_in_json(field.type)) for field in kind])
    return pa.string() if pa.types.is_temporal(kind) or pa.types.is_decimal(kind) else kind


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
    time = _event_micros(batch, columns, event)
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


def _event_micros(batch: pa.RecordBatch, columns: dict[str, pa.Array], event: EventTime) -> pa.Array:
    """EventTime.arrow of the column, or the field inside one, or the timestamp that the event time is."""
    if event.is_of_record:
        return event.arrow(batch["timestamp"])
    [head, *inside] = event.path
    value = pc.struct_field(columns[head], inside) if inside else columns[head]
    if event.unit is None and pa.types.is_string(value.type):
        value = _as_type(value, pa.timestamp("us", "UTC"), event.zone)
    return event.arrow(value)


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
    if not _is_plain(lines.to_pybytes(), texts):
        raise NotPlain
    table = pyarrow.json.read_json(
        pa.BufferReader(lines),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=lines.size + 1),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=topic.fields, unexpected_field_behavior="ignore"),
    )
    if table.num_rows != len(texts):
        raise NotPlain
    return {name: table[name].combine_chunks() for name in topic.fields.names}


def _is_plain(lines: bytes, texts: pa.Array) -> bool:
    """Whether these are the texts, an object in each line, with nothing in them that Spark reads differently. That
    there is one object in each, and not two, the number of rows shows: none goes over the end of a line.
    """
    count = len(texts)
    return (
        lines.startswith(b"{")
        and lines.endswith(b"}")
        and lines.count(b"}\n{") == lines.count(b"\n") == count - 1
        and not any(sign in lines for sign in (b"\r", b"\\u", b"NaN", b"Infinity"))
        and (lines.count(b"{") + lines.count(b"[") == count or _deepest(texts) <= DEEPEST)
    )


def _deepest(texts: pa.Array) -> int:
    """At least as many levels as the deepest of the records has."""
    brackets = pc.add(pc.count_substring(texts, "{"), pc.count_substring(texts, "["))
    return int(pc.max(brackets).as_py())


def _as_type(column: pa.Array, kind: pa.DataType, zone: str) -> pa.Array:
    """A column of JSON in its type: texts as times, fractions with one zero.

    Raises NotPlain if a time is written unusually; pa.ArrowInvalid if it is no time.
    """
    if pa.types.is_struct(kind):
        return _as_struct(column, kind, zone)
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
    if not pa.types.is_timestamp(kind):
        return column.cast(kind)
    zoned = pc.match_substring_regex(column, _ZONED)
    instants = pc.if_else(zoned, column, pc.binary_join_element_wise(column, "Z", "")).cast(kind)
    if zone == event_time.ZONE or pc.all(zoned, min_count=0).as_py():
        return instants
    micros = instants.cast(pa.int64())
    utc = pc.if_else(zoned, micros, local_times.utc_micros(pc.if_else(zoned, None, micros), zone))
    if utc.null_count > micros.null_count:
        raise NotPlain
    return utc.cast(kind)


def _as_struct(column: pa.Array, kind: pa.StructType, zone: str) -> pa.Array:
    """Raises what `_as_type` does, and NotPlain for a negative zero inside, of which the gate makes none of its own."""
    parts = []
    for part, field in zip(column.flatten(), kind, strict=True):
        if pa.types.is_floating(field.type):
            fractions = part.fill_null(1.0).to_numpy()
            if np.any((fractions == 0) & np.signbit(fractions)):
                raise NotPlain
            parts.append(part)
        else:
            parts.append(_as_type(part, field.type, zone))
    return pa.StructArray.from_arrays(parts, fields=list(kind), mask=column.is_null())
