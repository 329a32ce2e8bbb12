"""The fast way into a batch: Arrow decodes the records that are certainly good, and the gate judges the others.

arrow_json.py decides what is certain. Measured over 2,000,000 records of four fields under Java's C1: 4 CPU µs a
record, against 17 for from_json and the gate's own checks.
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.events import arrow_json, gate, lateness, task_facts
from jobs.events.arrow_json import PlainTopic
from jobs.events.arrow_step import ArrowStep
from jobs.events.lateness import Lateness
from jobs.events.lateness_rule import LatenessRule
from jobs.events.plain_values import plain_values
from jobs.events.task_facts import FactAccumulator
from jobs.events.topic_schema import TopicSchema
from schemas import archive

LONGEST_BYTES = 16_384
"""A record of more bytes, with its key and headers, is left to the gate: that bounds the memory of a block."""

_PLACE = ("partition", "offset", "timestamp", "key")
_RAW = ("value", "timestampType", "headers", "is_long")
"""Columns that are handed on for a doubtful record only; a long one has neither key nor headers, and an empty value."""


def event_columns(topic: TopicSchema) -> StructType:
    """The columns of the topic's events, which the transform gets: those of gate.good_events."""
    kinds = StructType.fromJson(_with_nulls(topic.COLUMNS.jsonValue()))
    columns = [field for field in kinds if field.name != "event_time"]
    return StructType(
        [
            StructField("record_partition", archive.COLUMNS["partition"].dataType),
            StructField("record_offset", archive.COLUMNS["offset"].dataType),
            StructField("record_timestamp", TimestampType()),
            StructField("record_key", archive.COLUMNS["key"].dataType),
            StructField("event_time", TimestampType()),
            *(StructField(field.name, field.dataType) for field in columns),
        ]
    )


def _with_nulls(kind: Any) -> Any:
    """Spark's JSON of a type, in which null may stand everywhere: as from_json reads it."""
    if isinstance(kind, list):
        return [_with_nulls(part) for part in kind]
    if not isinstance(kind, dict):
        return kind
    nullable = dict.fromkeys(kind.keys() & {"nullable", "containsNull", "valueContainsNull"}, True)
    return {name: part if name == "metadata" else _with_nulls(part) for name, part in kind.items()} | nullable


def _raw_columns() -> StructType:
    kinds = {name: archive.COLUMNS[name].dataType for name in ("value", "timestampType")}
    kinds |= {"headers": StringType(), "is_long": BooleanType()}
    return StructType([StructField(name, kind) for name, kind in kinds.items()])


def certain_events(
    topic: TopicSchema, stream_times: dict[int, int], rule: LatenessRule, lateness_facts: FactAccumulator
) -> ArrowStep:
    """The step from records of the log (partition, offset, timestamp, key, value as in schemas/archive.py) to events of
    `topic`, in the columns of `event_columns`, without those that `rule` drops. It ends before the first block with a
    doubtful record, or with one that goes to quarantine for being late.

    Adds the lateness.MEASURES of each partition to `lateness_facts`, where doubtful records count as bad ones.
    `stream_times` and `rule` are those of lateness.summarise.
    """
    events = event_columns(topic)
    plain = arrow_json.plain_topic(topic, events)

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        by_partition: dict[int, Lateness] = {}
        for batch in batches:
            columns, good = _decode_columns(_without_long(batch), plain)
            decoded = pa.RecordBatch.from_arrays([columns[f.name] for f in plain.output], schema=plain.output)
            is_event = lateness.observe(decoded, by_partition, stream_times, rule)
            if not pc.all(good).as_py() or any(late.bad_records for late in by_partition.values()):
                break
            yield decoded if is_event.all() else decoded.filter(pa.array(is_event))
        _report(lateness_facts, by_partition)

    return ArrowStep(process, events)


def decode(
    records: DataFrame,
    topic: TopicSchema,
    stream_times: dict[int, int],
    rule: LatenessRule,
    lateness_facts: FactAccumulator,
) -> DataFrame:
    """Records of the log (columns of schemas/archive.py) as events of `topic`, as far as that is certain.

    Columns: those of gate.decode, but for `__fault`; in `__raw` are the bytes of a doubtful record, null for a good
    one. Adds the lateness.MEASURES of each partition to `lateness_facts`, where doubtful records count as bad ones.
    `stream_times` and `rule` are those of lateness.summarise.
    """
    columns = StructType([*event_columns(topic), StructField("__raw", _raw_columns())])
    plain = arrow_json.plain_topic(topic, columns)

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        by_partition: dict[int, Lateness] = {}
        for batch in batches:
            if batch.num_rows:
                decoded = _decode_block(batch, plain)
                yield decoded
                lateness.observe(decoded, by_partition, stream_times, rule)
        _report(lateness_facts, by_partition)

    return ArrowStep(process, columns).over(_flatten(records))


def _flatten(records: DataFrame) -> DataFrame:
    """The columns of records that `_decode_block` takes; of a long record only its place in the log."""
    large = {"key": F.col("key"), "value": F.col("value"), "headers": F.to_json("headers")}
    long = _is_long()
    short = {name: F.when(~long, column) for name, column in large.items()}
    short["value"] = short["value"].otherwise(F.lit(b""))  # null would be a tombstone to a form of changes
    return records.withColumns(short | {"is_long": long}).select(*_PLACE, *_RAW)


def _report(lateness_facts: FactAccumulator, by_partition: dict[int, Lateness]) -> None:
    facts = {(partition, late.first_offset): late.measures() for partition, late in by_partition.items()}
    task_facts.report(lateness_facts, facts)


def _without_long(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The records, with an empty value where it is too long: so they are doubtful."""
    lengths = [pc.fill_null(pc.binary_length(batch[name]), 0) for name in ("key", "value")]
    long = pc.greater(pc.add(*lengths), LONGEST_BYTES)
    if not pc.any(long).as_py():
        return batch
    return batch.set_column(batch.schema.get_field_index("value"), "value", pc.if_else(long, b"", batch["value"]))


def _is_long() -> Column:
    large = (F.col("key"), F.col("value"), F.to_json("headers"))
    key, value, headers = (F.coalesce(F.octet_length(column), F.lit(0)) for column in large)
    return key + value + headers > LONGEST_BYTES


def good_events(decoded: DataFrame) -> DataFrame:
    """The records that are certainly good, without the column that only others need."""
    return decoded.where(F.col("__raw").isNull()).drop("__raw")


def resolve_doubtful(records: DataFrame, decoded: DataFrame, topic: TopicSchema) -> DataFrame:
    """The `records` as gate.decode gives them; `decoded`: what `decode` made of them. The gate judges the doubtful."""
    doubtful = _doubtful(decoded, topic.TOPIC).unionByName(records.where(_is_long()))
    judged = gate.decode(doubtful, topic)
    good = good_events(decoded).withColumns(
        {name: F.lit(None).cast(judged.schema[name].dataType) for name in ("__fault", "__raw")}
    )
    return good.unionByName(judged)


def _doubtful(decoded: DataFrame, topic: str) -> DataFrame:
    """The short records that are not certain, in the columns of schemas/archive.py."""
    columns = {name: F.col(f"record_{name}") for name in _PLACE} | {name: F.col(f"__raw.{name}") for name in _RAW}
    columns |= {"topic": F.lit(topic)}
    columns |= {"headers": F.from_json(columns["headers"], ArrayType(archive.HEADER))}
    doubtful = decoded.where(F.col("__raw").isNotNull() & ~F.col("__raw.is_long"))
    return doubtful.select(*(columns[name].alias(name) for name in archive.COLUMNS.names))


def _decode_block(batch: pa.RecordBatch, topic: PlainTopic) -> pa.RecordBatch:
    """The records in the columns of `decode`."""
    columns, good = _decode_columns(batch, topic)
    raw_type = topic.output.field("__raw").type
    kinds = list(raw_type)
    columns["__raw"] = (
        pa.nulls(len(good), raw_type)
        if pc.all(good).as_py()
        else pa.StructArray.from_arrays(
            [pc.if_else(good, pa.scalar(None, kind.type), batch[kind.name].cast(kind.type)) for kind in kinds],
            fields=kinds,
            mask=good,
        )
    )
    return pa.RecordBatch.from_arrays([columns[f.name] for f in topic.output], schema=topic.output)


def _decode_columns(batch: pa.RecordBatch, topic: PlainTopic) -> tuple[dict[str, pa.Array], pa.Array]:
    """The columns of the records as `topic.output` has them, and which of the records are certainly good."""
    fields = arrow_json.decode_certain(with_json(batch, topic), topic)
    columns = {f"record_{name}": batch[name] for name in _PLACE} | fields
    kinds = {field.name: field.type for field in topic.output}
    return {name: column.cast(kinds[name]) for name, column in columns.items() if name in kinds}, fields["__good"]


def with_json(batch: pa.RecordBatch, topic: PlainTopic) -> pa.RecordBatch:
    """The records with the JSON objects of what their values say; null where there is none."""
    if not (topic.form or topic.encoding):
        return batch
    plain, _ = plain_values(batch, topic.form, topic.row_columns, topic.encoding)
    return batch.set_column(batch.schema.get_field_index("value"), "value", plain)
