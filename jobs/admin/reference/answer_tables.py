"""What is stored for answers of events and for sessions: the columns of their tables, and what they mean."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace

from pyspark.sql.types import (
    BooleanType,
    DataType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.enriched import Enriched
from jobs.answers.event_rows.event_answer import EventAnswer
from jobs.answers.latest import Latest
from jobs.answers.outcomes import Before, Outcomes, Then
from jobs.answers.result import Reads, Result
from jobs.answers.sequences import Sequences
from jobs.answers.sliding import Sliding
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import Versions
from jobs.events.changes import debezium
from jobs.events.fast_decoder import event_columns
from jobs.facts.statistics.average import Average
from jobs.facts.statistics.sum import Sum
from jobs.keeping import result_tables
from schemas import departure

EXAMPLE = """In the next tables `BY` stands for columns of the group, `COLUMN` for any other column of the transform,
`AVERAGES`, `SUMS` and `UNIQUES` for columns that a job file names in these fields, and `BEFORE`, `THEN` and `NEXT` for
the `name` of a Before and of two Then. The table of an answer is `NAME`, or `NAME_ANSWER` if it is `.named("ANSWER")`.
"""
FOUND = {
    "time": "Event time of the event that was found; null if none was.",
    "partition": "Partition of its record.",
    "offset": "Offset of its record.",
    "COLUMN": "Its column.",
}
MEANINGS = {
    "BY": "Group.",
    "COLUMN": "Column of the event.",
    "event_time": "Event time of the event that the row is about; in a row of Sequences the first of the match.",
    "record_partition": "Partition of its record.",
    "record_offset": "Offset of its record.",
    "BEFORE_count": "How many such events came before it.",
    "BEFORE_first_time": "Event time of the first of these.",
    "outcome": "What became of it: one of the three names in `called`, or broken, or open.",
    "steps": "How many Then were reached; only if there are several.",
    **{f"{name}_{end}": meaning for name in ("THEN", "NEXT") for end, meaning in FOUND.items()},
    "events": "How many events the row counts.",
    "UNIQUES_unique": "How many distinct values UNIQUES has, exactly; null in a crowded row.",
    "crowded": "Whether the row counts too many events for distinct values; only if there are `uniques`.",
    "last_time": "Event time of the last event of the match.",
    "last_partition": "Partition of its record.",
    "last_offset": "Offset of its record.",
    **Average("AVERAGES").comments("AVERAGES"),
    **Sum("SUMS").comments("SUMS"),
}
"""What columns that have no comment in the table mean."""
_KINDS: dict[str, DataType] = {
    "event_time": TimestampType(),
    "record_partition": IntegerType(),
    "record_offset": LongType(),
    "BY": StringType(),
}
_BOOLEANS = ("is_each", "is_before", "is_then", "is_next")
_ANSWERS: tuple[tuple[EventAnswer, Mapping[str, DataType], str], ...] = (
    (
        Outcomes(
            "is_each",
            ("BY",),
            (Then("is_then", "1 hour", name="THEN"), Then("is_next", "1 hour", name="NEXT")),
            (Before("is_before", "1 hour", name="BEFORE"),),
        ),
        {**{name: BooleanType() for name in _BOOLEANS}, "COLUMN": StringType()},
        "A row for each anchor: its columns, what came before it, and what came then.",
    ),
    (
        Sliding(("BY",), "1 hour", averages=("AVERAGES",), sums=("SUMS",), uniques=("UNIQUES",)),
        {"AVERAGES": IntegerType(), "SUMS": IntegerType(), "UNIQUES": StringType()},
        "A row for each event.",
    ),
    (
        Sequences("at", {"a": "is_each", "t": "is_then"}, ("BY",), "1 hour"),
        {name: BooleanType() for name in _BOOLEANS},
        "A row for each match.",
    ),
)


def answer_tables() -> Iterator[tuple[str, str, list[StructField]]]:
    """Title, sentence and columns of each table."""
    for number, (answer, kinds, sentence) in enumerate(_ANSWERS):
        events = StructType([StructField(name, kind) for name, kind in {**_KINDS, **kinds}.items()])
        result = Result("NAME", Reads(departure, lambda given: given), answer)
        tables = {one.name: one.columns for one in result_tables.tables_from(result, events)}
        if not number:
            kept = [_with_meaning(field) for field in tables["NAME_departures"] if field.name not in events.names]
            yield "NAME_TOPIC", "Kept events: the columns that the transform of the topic returns, and these.", kept
        yield f"NAME of {type(answer).__name__}", sentence, [_with_meaning(field) for field in tables["NAME"]]
    yield from _tables_of_changes()


def _tables_of_changes() -> Iterator[tuple[str, str, list[StructField]]]:
    columns = [StructField("KEY", LongType(), False), StructField("TAKEN", StringType())]
    topic = SimpleNamespace(TOPIC="CHANGES", COLUMNS=StructType(columns))
    latest, versions = Latest(key=("KEY",)), Versions(key=("KEY",)).named("VERSIONS")
    enriched = Enriched("TOPIC", versions, ("BY",), ("TAKEN",)).named("ENRICHED")
    hits = StoredQueries("TOPIC", versions, "TAKEN", ("BY",), ("TAKEN",), ("BY",)).named("HITS")
    events = StructType([StructField(name, kind) for name, kind in {**_KINDS, "BY": LongType()}.items()])
    of_events = SimpleNamespace(
        TOPIC="TOPIC", COLUMNS=StructType([StructField("time", TimestampType())]), EVENT_TIME="time", KEY=None
    )
    reads = (
        Reads(of_events, lambda given: given),
        Reads(topic, lambda given: given, form=debezium.CHANGES),
    )
    result = Result("NAME", reads, (latest, versions, enriched, hits))
    changes = event_columns(result.all_reads[1].topic)
    tables = {one.name: one.columns for one in result_tables.tables_from(result, events, changes)}
    meanings = {
        "KEY": "Column of the primary key.",
        "TAKEN": "Column of the database's table, in a row of Enriched or StoredQueries one that it takes.",
    }
    for name, kind, sentence in (
        ("NAME", "Latest", "A row for each key that is not deleted."),
        (
            "NAME_deleted",
            "Latest",
            "A row for each deleted key; without a key: a snapshot, or that the table was cleared.",
        ),
        ("NAME_VERSIONS", "Versions", "A row for each change but deletions."),
        ("NAME_VERSIONS_deleted", "Versions", "A row for each deletion; without a key as of Latest."),
        ("NAME_ENRICHED", "Enriched", "A row for each event of TOPIC."),
        ("NAME_HITS", "StoredQueries", "A row for each event of TOPIC and each rule that it meets."),
        ("NAME_HITS_rules", "StoredQueries", "A row for each version of a rule."),
    ):
        rows = [
            StructField(field.name, field.dataType, True, {"comment": meanings[field.name]})
            if field.name in meanings
            else _with_meaning(field)
            for field in tables[name]
        ]
        yield f"{name} of {kind}", sentence, rows


def _with_meaning(field: StructField) -> StructField:
    comment = field.metadata.get("comment") or MEANINGS.get(field.name, "")
    return StructField(field.name, field.dataType, True, {"comment": comment})
