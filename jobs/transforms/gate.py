"""The gate: a record's bytes become typed columns, or the reason why they cannot. Nothing here fails on data.

Reasons, in the order in which they are looked for:
null_value, null_key, too_large, invalid_utf8, not_json (also: not an object, nested deeper than 64), trailing_data
(two documents in one value), missing_field (or null), wrong_type, not_finite, time_before_1970, time_after_record.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DataType,
    DateType,
    DoubleType,
    FloatType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.transforms.result import TopicSchema

MAX_VALUE_BYTES = 1_048_576
"""A longer value is quarantined unread; Kafka's own default bound of a message."""

MAX_AHEAD_SECONDS = 86_400
"""An event time may be this far after the record's own timestamp: a day, for clocks and schedules."""

RECORD = ("record_partition", "record_offset", "record_timestamp", "record_key")
"""Where an event stands in the log; beside the topic's own columns."""

_OPTIONS = {
    "mode": "PERMISSIVE",
    "columnNameOfCorruptRecord": "_corrupt",
    "allowNonNumericNumbers": "false",
    "allowSingleQuotes": "false",
    "maxNestingDepth": "64",
    "maxNumLen": "400",
    "timeZone": "UTC",
}
_UNQUOTED_STARTS = tuple(map(ord, "-0123456789{[tf"))
"""First characters of what JSON writes without quotes; null is null."""

_QUOTED = (StringType, TimestampType, DateType)
"""Types that JSON writes in quotes: Spark would take a bare number for them."""


def _schema(topic: TopicSchema, kind: DataType | None = None) -> StructType:
    fields = [StructField(field.name, kind or field.dataType) for field in topic.COLUMNS]
    return StructType([*fields, StructField("_corrupt", StringType())])


def _every(conditions: list[Column]) -> Column:
    both = F.lit(True)
    for condition in conditions:
        both = both & condition
    return both


def _looks_quoted(name: str) -> Column:
    """The field is written `"name":"` or `"name": "`: cheap, and true of nearly every good record."""
    return F.contains("text", F.lit(f'"{name}":"')) | F.contains("text", F.lit(f'"{name}": "'))


def _in_time(topic: TopicSchema) -> tuple[Column, Column, Column]:
    """Event time as microseconds since 1970, and whether it is too early and too late for its record."""
    field = F.col(f"parsed.{topic.EVENT_TIME}")
    latest = F.unix_micros("timestamp") + F.lit(MAX_AHEAD_SECONDS * 1_000_000)
    if isinstance(topic.COLUMNS[topic.EVENT_TIME].dataType, LongType):  # milliseconds since 1970
        return F.try_multiply(field, F.lit(1000)), field < 0, field > F.floor(latest / F.lit(1000))
    micros = F.unix_micros(field)
    return micros, micros < 0, micros > latest


def _quick(topic: TopicSchema) -> Column:
    """True for a record that is certainly good; a false one is looked at closely."""
    _, early, late = _in_time(topic)
    checks = [F.col("text").isNotNull(), F.col("parsed._corrupt").isNull(), F.startswith("text", F.lit("{"))]
    # One closing brace, at the end: then there is no second document. A nested value takes the close look.
    inside = F.substring("value", F.lit(1), F.octet_length("value") - F.lit(1)).cast("string")
    checks += [F.endswith("text", F.lit("}")), ~F.contains(inside, F.lit("}"))]
    checks.append(F.is_valid_utf8("text"))
    if topic.KEY:
        checks.append(F.col("key").isNotNull())
    for field in topic.COLUMNS:
        column = F.col(f"parsed.{field.name}")
        if not field.nullable or field.name == topic.EVENT_TIME:
            checks.append(column.isNotNull())
        if isinstance(field.dataType, StringType):
            quoted = ~F.ascii(column).isin(*_UNQUOTED_STARTS) | _looks_quoted(field.name)
            checks.append(column.isNull() | quoted)
        elif isinstance(field.dataType, _QUOTED):
            checks.append(column.isNull() | _looks_quoted(field.name))
        if isinstance(field.dataType, (DoubleType, FloatType)):
            checks.append(column.isNull() | (F.abs(column) < F.lit(float("inf"))))
    return F.coalesce(_every([*checks, ~early, ~late]), F.lit(False))


def _field_faults(topic: TopicSchema) -> list[tuple[Column, str, str]]:
    faults = []
    for field in topic.COLUMNS:
        typed, raw = F.col(f"parsed.{field.name}"), F.col(f"raw.{field.name}")
        if not field.nullable or field.name == topic.EVENT_TIME:
            faults.append((raw.isNull(), "missing_field", field.name))
        wrong = typed.isNull() & raw.isNotNull()
        if isinstance(field.dataType, _QUOTED):
            kind = F.schema_of_variant(F.try_variant_get(F.try_parse_json("text"), f"$['{field.name}']", "variant"))
            wrong = wrong | (raw.isNotNull() & ~_looks_quoted(field.name) & (kind != "STRING"))
        if isinstance(field.dataType, (DoubleType, FloatType)):
            infinite = typed.isNotNull() & ~(F.abs(typed) < F.lit(float("inf")))
            bare = F.lower("raw." + field.name)
            infinite = infinite | (wrong & bare.isin("nan", "infinity", "-infinity", "inf", "-inf", "+inf"))
            faults.append((infinite, "not_finite", field.name))
        faults.append((wrong, "wrong_type", field.name))
    return faults


def _fault(topic: TopicSchema) -> Column:
    """(reason, field) of the first thing that is wrong, or null."""
    _, early, late = _in_time(topic)
    alone = (F.json_array_length(F.concat(F.lit("["), "text", F.lit("]"))) == 1) & (
        # An array that ends inside the value has the same length whatever is put behind the value.
        F.json_array_length(F.concat(F.lit("["), "text", F.lit(",0]"))) == 2
    )
    bytes_ = F.col("value")
    faults: list[tuple[Column, str, str]] = [(bytes_.isNull(), "null_value", "")]
    if topic.KEY:
        faults.append((F.col("key").isNull(), "null_key", topic.KEY))
    faults += [
        (F.octet_length(bytes_) > MAX_VALUE_BYTES, "too_large", ""),
        (~F.is_valid_utf8(bytes_.cast("string")), "invalid_utf8", ""),
        (
            F.col("raw._corrupt").isNotNull() | ~F.startswith(F.trim("text", F.lit(" \t\r\n")), F.lit("{")),
            "not_json",
            "",
        ),
        (~F.coalesce(alone, F.lit(False)), "trailing_data", ""),
        *_field_faults(topic),
        (early, "time_before_1970", topic.EVENT_TIME),
        (late, "time_after_record", topic.EVENT_TIME),
        (F.col(f"parsed.{topic.EVENT_TIME}").isNull(), "wrong_type", topic.EVENT_TIME),
        (F.col("parsed._corrupt").isNotNull(), "not_json", ""),
    ]
    first = F.when(F.lit(False), None)
    for condition, reason, field in faults:
        named = F.struct(F.lit(reason).alias("reason"), F.lit(field or None).cast("string").alias("field"))
        first = first.when(condition, named)  # one flat CASE: a deep one takes long to compile
    return first


def decode(records: DataFrame, topic: TopicSchema) -> DataFrame:
    """Records of the log (columns of schemas/archive.py) as events of `topic`, good and bad.

    Columns: those of RECORD, `event_time` (UTC), the topic's own, and `fault` (reason, field), null if the record is
    good; `raw` (timestampType, value, headers) is kept for the bad ones only.
    """
    quick = _parsed(records, topic)
    doubtful = F.from_json(F.when(~F.col("good"), F.col("text")), _schema(topic, StringType()), _OPTIONS)
    judged = quick.withColumn("raw", doubtful).withColumn("fault", F.when(~F.col("good"), _fault(topic)))
    return _selected(judged, topic)


def _parsed(records: DataFrame, topic: TopicSchema) -> DataFrame:
    """The records with `text`, `parsed`, and `good`: whether they are certainly so."""
    readable = F.octet_length("value") <= MAX_VALUE_BYTES
    text = F.when(readable, F.col("value").cast("string"))
    parsed = records.withColumn("text", text).withColumn("parsed", F.from_json("text", _schema(topic), _OPTIONS))
    return parsed.withColumn("good", _quick(topic))


def _selected(judged: DataFrame, topic: TopicSchema) -> DataFrame:
    micros, _, _ = _in_time(topic)
    good = F.col("fault").isNull()
    kept = F.struct("timestampType", "value", "headers")
    return judged.select(
        F.col("partition").alias("record_partition"),
        F.col("offset").alias("record_offset"),
        F.col("timestamp").alias("record_timestamp"),
        F.col("key").alias("record_key"),
        F.when(good, F.timestamp_micros(micros)).alias("event_time"),
        *(F.col(f"parsed.{name}").alias(name) for name in topic.COLUMNS.fieldNames() if name != "event_time"),
        "fault",
        F.when(~good, kept).alias("raw"),
    )


def events(decoded: DataFrame) -> DataFrame:
    """The good ones, without the columns that only bad ones need."""
    return decoded.where(F.col("fault").isNull()).drop("fault", "raw")


def quarantined(decoded: DataFrame, topic: str) -> DataFrame:
    """The bad ones in the columns of schemas/quarantine.py, but for the batch's own."""
    return decoded.where(F.col("fault").isNotNull()).select(
        F.lit(topic).alias("topic"),
        F.col("record_partition").alias("partition"),
        F.col("record_offset").alias("offset"),
        F.col("record_timestamp").alias("timestamp"),
        F.col("raw.timestampType").alias("timestampType"),
        F.col("record_key").alias("key"),
        F.col("raw.value").alias("value"),
        F.col("raw.headers").alias("headers"),
        F.col("fault.reason").alias("reason"),
        F.col("fault.field").alias("field"),
    )
