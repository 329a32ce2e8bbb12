"""Which tables a result has beside its ledger, and what each column of theirs means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, IntegerType, LongType, StructField, StructType, TimestampType

from jobs.answers import contract, delivery, merging, table_names
from jobs.answers.result import Result
from jobs.events import fast_decoder
from jobs.facts import aggregation, kept_events
from jobs.keeping import housekeeping
from jobs.running import spark_plan
from schemas import filters, quarantine, straggler

SEQUENCE = StructField("sequence", LongType(), True, {"comment": "Ledger row that wrote this row."})
REVISION = (
    StructField("revision", IntegerType(), True, {"comment": "1 when first published, one more at each correction."}),
    StructField("updated_time", TimestampType(), True, {"comment": "When the row was last published, UTC."}),
)


DUE = {
    "due_time": "From then on, in complete time, no record that is not late can change the row.",
    "final": "Whether complete time has passed due_time.",
}


@dataclass(frozen=True)
class Table:
    """A table of a result."""

    name: str
    columns: StructType
    partitioned_by: tuple[str, ...]
    sentence: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """Delta's table properties, beside those of every table."""


def empty_frame(spark: SparkSession, columns: StructType) -> DataFrame:
    """A frame with these columns and no rows."""
    return spark.range(0).select(*(F.lit(None).cast(field.dataType).alias(field.name) for field in columns))


def definitions(spark: SparkSession, result: Result) -> list[Table]:
    """The tables of `result`, made from its plan over no records.

    Raises Mistake if the transform does not return what panes and membership need.
    """
    schemas = []
    for reading in result.readings:
        transformed = reading.transform(spark_plan.empty_relation(spark, fast_decoder.event_columns(reading.topic)))
        reading.check_transformed(transformed)
        schemas.append(transformed.schema)
    return tables_from(result, *schemas)


def tables_from(result: Result, *columns: StructType) -> list[Table]:
    """The tables of `result`, whose transforms return these columns. Needs no Spark.

    Raises Mistake if its answers need other columns.
    """
    tables = _tables_of_events(result, columns) if result.event_answers else _tables_of_records(result, columns[0])
    by_name = {table.name: table.columns for table in tables}
    for answer in result.answer_keys if result.deliver else ():
        changed = table_names.part(result.name, answer)
        feed = delivery.feed_columns(result.name, result.deliver, answer, by_name[changed])
        tables.append(Table(result.feed_table(answer), feed, (), f"What each publish changed in {changed}."))
    sentence = f"Late records of {result.name}, whatever became of them."
    tables.append(Table(result.table("stragglers"), straggler.COLUMNS, (), sentence))
    sentence = f"Records that {result.name} could not read."
    tables.append(Table(result.table("quarantine"), quarantine.COLUMNS, (), sentence))
    return tables


def _tables_of_events(result: Result, columns: Sequence[StructType]) -> list[Table]:
    """Kept events, and the answers of them."""
    by_topic = dict(zip(result.topics, columns, strict=True))
    given = {topic: StructType([*schema.fields, kept_events.LATE_COLUMN]) for topic, schema in by_topic.items()}
    tables = []
    for topic, schema in by_topic.items():
        kept = StructType([*kept_events.output(schema), SEQUENCE])
        tables.append(
            Table(
                result.events_table(topic),
                kept,
                (),
                f"Events of {topic} that {result.name} needs.",
                housekeeping.SETTINGS,
            )
        )
    for answer in result.event_answers:
        contract.check_answer(result.name, answer, given)
        rows = StructType([*(_with_answer_comment(field) for field in answer.columns(given)), *REVISION])
        tables.append(Table(result.answer_table(answer), rows, (), f"An answer of {result.name}."))
    return tables


def _with_answer_comment(field: StructField) -> StructField:
    comment = DUE.get(field.name)
    return StructField(field.name, field.dataType, True, {"comment": comment} if comment else {})


def _tables_of_records(result: Result, columns: StructType) -> list[Table]:
    rows = StructType([*columns.fields])
    tables = []
    if result.membership:
        rows.add(StructField("seen_before", BooleanType(), True, {"comment": _seen_comment(result)}))
        sentence = f"Bloom filters of {result.name}."
        tables.append(
            Table(result.table("filters"), filters.COLUMNS, filters.PARTITIONED_BY, sentence, housekeeping.SETTINGS)
        )
    if result.panes:
        partials = aggregation.output(rows, result.panes)
        pane_columns = StructType([*partials.fields, SEQUENCE])
        tables.append(
            Table(result.table("panes"), pane_columns, (), f"Partial panes of {result.name}, one set a batch.")
        )
        merged = merging.output(partials, result.panes)
        commented = StructType([_with_comment(field, result) for field in merged.fields] + list(REVISION))
        tables.append(Table(result.name, commented, (), f"Published windows of {result.name}."))
    else:
        tables.append(
            Table(result.name, StructType([*rows.fields, SEQUENCE]), (), f"One row for each record: {result.name}.")
        )
    return tables


def _seen_comment(result: Result) -> str:
    assert result.membership
    return f"Whether the record key came before, within {result.membership.horizon}; null: too late to say, or no key."


def _with_comment(field: StructField, result: Result) -> StructField:
    comments = {
        "window": "Which kind of window.",
        "window_start": "First instant of the window, UTC.",
        "window_end": "First instant after the window, UTC.",
    } | DUE
    assert result.panes
    of_topic = {f.name: f.metadata.get("comment", "") for f in result.topic.COLUMNS}
    for statistic in result.panes.statistics:
        comments |= statistic.comments(of_topic.get(statistic.column or "", statistic.column or ""))
    comment = comments.get(field.name) or of_topic.get(field.name) or "Group."
    return StructField(field.name, field.dataType, True, {"comment": comment})
