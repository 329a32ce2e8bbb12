"""The gate: a record's bytes become typed columns, or the reason why they cannot. Nothing here fails on data.

Reasons, in the order in which they are looked for:
not_a_change (of a topic of changes, in place of null_value)
no_schema_id, unknown_schema, schema_mismatch, not_decodable (of a topic that is encoded by a schema registry)
null_value, null_key, too_large, invalid_utf8, not_json (also: not an object, nested deeper than 64), trailing_data
(two documents in one value); then of one column after the other missing_field (or null), not_finite (before wrong_type,
as such a number has no value either), wrong_type; then time_before_1970, time_after_record (by more than the topic's
MAX_AHEAD), time_after_9998.

A number may be written in quotes, and a whole one with a point and zeros: it is accepted if its value is exact in the
type of the column.
"""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    BinaryType,
    DataType,
    DateType,
    DoubleType,
    FloatType,
    IntegralType,
    StringType,
    StructField,
    StructType,
    TimestampType,
    VariantType,
)

from jobs.events import equality, event_time
from jobs.events.arrow_step import ArrowStep
from jobs.events.changes import change_topic
from jobs.events.changes.change_form import ChangeForm
from jobs.events.encodings import topic_encoding
from jobs.events.plain_values import plain_values
from jobs.events.topic_schema import TopicSchema, quote

MAX_VALUE_BYTES = 1_048_576
"""A longer value is quarantined unread; Kafka's own default bound of a message."""

_OPTIONS = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": "__corrupt",
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
    "maxNestingDepth": "64",
    "maxNumLen": "400",
}
NOT_A_CHANGE = "not_a_change"
"""Reason of a record that the form of its topic cannot read; the first of all there."""
_ORIGINAL = "__original"
"""Private column with the value of a record of which a form has made another."""
_FORM_FAULT = "__form_fault"
"""Private column with the fault of a value that could not be decoded."""
_UNQUOTED_STARTS = tuple(map(ord, "-0123456789{[tf"))
"""First characters of what JSON writes without quotes; null is null."""

_QUOTED = (StringType, TimestampType, DateType)
"""Types that JSON writes in quotes: Spark would take a bare number for them."""
_FRACTIONS = (DoubleType, FloatType)
_NUMBER = r"^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$"


def _from_json(text: Column, topic: TopicSchema, kind: DataType | None = None) -> Column:
    """The topic's columns out of JSON, each of the type `kind` or its own; `__corrupt` is null if all could be read."""
    fields = [StructField(field.name, kind or field.dataType) for field in topic.COLUMNS]
    schema = StructType([*fields, StructField("__corrupt", StringType())])
    return F.from_json(text, schema, _OPTIONS | {"timeZone": event_time.of_topic(topic).zone})


def _parsed_column(*path: str) -> Column:
    return F.col(quote("__parsed", *path))


def _raw_column(name: str) -> Column:
    return F.col(quote("__raw_text", name))


def _value(field: StructField) -> Column:
    """The value of the column, also if it is a number in quotes, or a whole one with a point and zeros."""
    typed = _parsed_column(field.name)
    if not isinstance(field.dataType, (IntegralType, *_FRACTIONS)):
        return typed
    number = F.when(F.rlike(_raw_column(field.name), F.lit(_NUMBER)), _raw_column(field.name))
    if isinstance(field.dataType, _FRACTIONS):
        return equality.normalise_zero(F.coalesce(typed, number.try_cast(field.dataType)), field.dataType)
    exact = number.try_cast("decimal(38,18)")
    return F.coalesce(typed, F.when(exact == F.floor(exact), exact.try_cast(field.dataType)))


def _every(conditions: list[Column]) -> Column:
    both = F.lit(True)
    for condition in conditions:
        both = both & condition
    return both


def _looks_quoted(name: str) -> Column:
    """The field is written `"name":"` or `"name": "`: cheap, and true of nearly every good record."""
    return F.contains("__text", F.lit(f'"{name}":"')) | F.contains("__text", F.lit(f'"{name}": "'))


def _event_micros(topic: TopicSchema) -> Column:
    """Event time, by event_time.EventTime.micros."""
    event = event_time.of_topic(topic)
    if event.is_of_record:
        return event.micros(F.col("timestamp"))
    [head, *inside] = event.path
    value = _parsed_column(head, *inside) if inside else _value(topic.COLUMNS[head])
    return event.micros(value)


def _late(topic: TopicSchema, micros: Column) -> Column:
    ahead = event_time.of_topic(topic).max_ahead_seconds
    if ahead is None:
        return F.lit(False)
    return micros > F.unix_micros("timestamp") + F.lit(ahead * 1_000_000)


def _certainly_good(topic: TopicSchema) -> Column:
    """True for a record that is certainly good; _first_fault decides about the others. Does not look at raw texts."""
    event = event_time.of_topic(topic)
    micros = event.micros(F.col("timestamp") if event.is_of_record else _parsed_column(*event.path))
    checks = [F.col("__text").isNotNull(), _parsed_column("__corrupt").isNull(), F.startswith("__text", F.lit("{"))]
    # One closing brace, at the end: then there is no second document. A record with a nested value is not certain.
    inside = F.substring("value", F.lit(1), F.octet_length("value") - F.lit(1)).cast("string")
    checks += [F.endswith("__text", F.lit("}")), ~F.contains(inside, F.lit("}"))]
    checks.append(F.is_valid_utf8("__text"))
    if topic.KEY:
        checks.append(F.col("key").isNotNull())
    for field in topic.COLUMNS:
        column = _parsed_column(field.name)
        if not field.nullable:
            checks.append(column.isNotNull())
        if isinstance(field.dataType, StringType):
            in_quotes = ~F.ascii(column).isin(*_UNQUOTED_STARTS) | _looks_quoted(field.name)
            checks.append(column.isNull() | in_quotes)
        elif isinstance(field.dataType, _QUOTED):
            checks.append(column.isNull() | _looks_quoted(field.name))
        if isinstance(field.dataType, _FRACTIONS):
            checks.append(column.isNull() | (F.abs(column) < F.lit(float("inf"))))
    in_time = (micros >= 0) & (micros < F.lit(event_time.LIMIT_MICROS)) & ~_late(topic, micros)
    return F.coalesce(_every([*checks, in_time]), F.lit(False))


def _field_faults(topic: TopicSchema) -> list[tuple[Column, str, str]]:
    faults = []
    event = event_time.of_topic(topic)
    for field in topic.COLUMNS:
        value, raw = _value(field), _raw_column(field.name)
        if not field.nullable or event.path == (field.name,):
            faults.append((raw.isNull(), "missing_field", field.name))
        wrong = value.isNull() & raw.isNotNull()
        if isinstance(field.dataType, _QUOTED):
            kind = F.schema_of_variant(F.col(quote("__kinds", field.name)))
            wrong = wrong | (raw.isNotNull() & ~_looks_quoted(field.name) & (kind != "STRING"))
        if isinstance(field.dataType, _FRACTIONS):
            infinite = value.isNotNull() & ~(F.abs(value) < F.lit(float("inf")))
            bare = F.lower(raw)
            infinite = infinite | (wrong & bare.isin("nan", "infinity", "-infinity", "inf", "-inf", "+inf"))
            faults.append((infinite, "not_finite", field.name))
        faults.append((wrong, "wrong_type", field.name))
    if len(event.path) > 1:
        keys = "".join(f"['{step}']" for step in event.path)
        faults.append((F.get_json_object("__text", f"${keys}").isNull(), "missing_field", event.name))
    return faults


def _first_fault(topic: TopicSchema) -> Column:
    """(reason, field) of the first thing that is wrong, or null."""
    micros, event_name = _event_micros(topic), event_time.of_topic(topic).name
    alone = (F.json_array_length(F.concat(F.lit("["), "__text", F.lit("]"))) == 1) & (
        # An array that ends inside the value has the same length whatever is put behind the value.
        F.json_array_length(F.concat(F.lit("["), "__text", F.lit(",0]"))) == 2
    )
    bytes_, is_change = F.col("value"), hasattr(topic, "FORM")
    faults: list[tuple[Column, str, str]] = [(bytes_.isNull(), NOT_A_CHANGE if is_change else "null_value", "")]
    if topic.KEY:
        faults.append((F.col("key").isNull(), "null_key", topic.KEY))
    faults += [
        (F.octet_length(bytes_) > MAX_VALUE_BYTES, "too_large", ""),
        (~F.is_valid_utf8(bytes_.cast("string")), "invalid_utf8", ""),
        (
            _raw_column("__corrupt").isNotNull() | ~F.startswith(F.trim("__text", F.lit(" \t\r\n")), F.lit("{")),
            "not_json",
            "",
        ),
        (~F.coalesce(alone, F.lit(False)), "trailing_data", ""),
        *_field_faults(topic),
        (micros < 0, "time_before_1970", event_name),
        (_late(topic, micros), "time_after_record", event_name),
        (micros >= F.lit(event_time.LIMIT_MICROS), "time_after_9998", event_name),
        (micros.isNull(), "wrong_type", event_name),
        (_parsed_column("__corrupt").isNotNull() & ~_has_lenient_number(topic), "not_json", ""),
    ]
    first = F.when(F.lit(False), None)
    if topic_encoding.of_topic(topic):
        first = first.when(F.col(_FORM_FAULT).isNotNull(), F.col(_FORM_FAULT))
    for condition, reason, field in faults:
        named = F.struct(F.lit(reason).alias("reason"), F.lit(field or None).cast("string").alias("field"))
        first = first.when(condition, named)  # one flat CASE: a deep one takes long to compile
    return first


def _has_lenient_number(topic: TopicSchema) -> Column:
    """Whether a number was accepted that Spark does not accept as it is written, and so calls the record corrupt."""
    numbers = [field for field in topic.COLUMNS if isinstance(field.dataType, (IntegralType, *_FRACTIONS))]
    lenient = F.lit(False)
    for field in numbers:
        lenient = lenient | (_parsed_column(field.name).isNull() & _value(field).isNotNull())
    return lenient


def decode(records: DataFrame, topic: TopicSchema) -> DataFrame:
    """Records of the log (columns of schemas/archive.py) as events of `topic`, good and bad.

    Columns: those of topic.RECORD, `event_time` (UTC), the topic's own, and `__fault` (reason, field), null if the
    record is good; `__raw` (timestampType, value, headers) is kept for the bad ones only.
    """
    if _has_original(topic):
        records = _plain_step(topic, records.schema).over(records)
    doubtful = F.when(~F.col("__good"), F.col("__text"))
    judged = _parse(records, topic).withColumns(
        {"__raw_text": _from_json(doubtful, topic, StringType()), "__kinds": _from_json(doubtful, topic, VariantType())}
    )
    judged = judged.withColumn("__fault", F.when(~F.col("__good"), _first_fault(topic)))
    return _select_output(judged, topic)


def _plain_step(topic: TopicSchema, records: StructType) -> ArrowStep:
    """The step that puts JSON objects in the place of changes of rows and of encoded values, and keeps these, and why
    one cannot be decoded.
    """
    form: ChangeForm | None = getattr(topic, "FORM", None)
    columns, encoded = change_topic.row_columns(topic), topic_encoding.of_topic(topic)

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            values, index = batch["value"], batch.schema.get_field_index("value")
            is_unread = pc.greater(pc.fill_null(pc.binary_length(values), 0), MAX_VALUE_BYTES)
            short = batch.set_column(index, "value", pc.if_else(is_unread, None, values))
            plain, faults = plain_values(short, form, columns, encoded)
            changed = batch.set_column(index, "value", pc.if_else(is_unread, values, plain))
            changed = changed.append_column(_ORIGINAL, values)
            yield changed if faults is None else changed.append_column(_FORM_FAULT, faults)

    kept = [StructField(_ORIGINAL, BinaryType())]
    kept += [StructField(_FORM_FAULT, topic_encoding.FAULT)] if encoded else []
    return ArrowStep(process, StructType([*records, *kept]))


def _has_original(topic: TopicSchema) -> bool:
    return hasattr(topic, "FORM") or topic_encoding.of_topic(topic) is not None


def _parse(records: DataFrame, topic: TopicSchema) -> DataFrame:
    """The records with `__text`, `__parsed`, and `__good`: whether they are certainly good."""
    readable = F.octet_length("value") <= MAX_VALUE_BYTES
    text = F.when(readable, F.col("value").cast("string"))
    parsed = records.withColumn("__text", text).withColumn("__parsed", _from_json(F.col("__text"), topic))
    return parsed.withColumn("__good", _certainly_good(topic))


def _select_output(judged: DataFrame, topic: TopicSchema) -> DataFrame:
    good = F.col("__fault").isNull()
    value = F.col(_ORIGINAL if _has_original(topic) else "value").alias("value")
    raw = F.struct("timestampType", value, "headers")
    return judged.select(
        F.col("partition").alias("record_partition"),
        F.col("offset").alias("record_offset"),
        F.col("timestamp").alias("record_timestamp"),
        F.col("key").alias("record_key"),
        F.when(good, F.timestamp_micros(_event_micros(topic))).alias("event_time"),
        *(_value(field).alias(field.name) for field in topic.COLUMNS if field.name != "event_time"),
        "__fault",
        F.when(~good, raw).alias("__raw"),
    )


def good_events(decoded: DataFrame) -> DataFrame:
    """The good events, without the columns that only bad ones need."""
    return decoded.where(F.col("__fault").isNull()).drop("__fault", "__raw")


def bad_records(decoded: DataFrame, topic: str) -> DataFrame:
    """The bad records in the columns of schemas/quarantine.py, but for those about the batch."""
    return decoded.where(F.col("__fault").isNotNull()).select(
        F.lit(topic).alias("topic"),
        F.col("record_partition").alias("partition"),
        F.col("record_offset").alias("offset"),
        F.col("record_timestamp").alias("timestamp"),
        F.col("__raw.timestampType").alias("timestampType"),
        F.col("record_key").alias("key"),
        F.col("__raw.value").alias("value"),
        F.col("__raw.headers").alias("headers"),
        F.col("__fault.reason").alias("reason"),
        F.col("__fault.field").alias("field"),
    )
