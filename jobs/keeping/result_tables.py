"""Which tables a result has beside its ledger, and what each column of theirs means."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import IntegerType, LongType, StructField, StructType, TimestampType

from jobs.answers import contract, delivery, table_names
from jobs.answers.changes import change_contract
from jobs.answers.changes.change_answer import CARRIED, ChangeAnswer
from jobs.answers.latest import Latest
from jobs.answers.result import Result
from jobs.answers.rules import rule_report
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import INTERVAL
from jobs.answers.windows import EARLIER_KIND, KIND, merging
from jobs.events import fast_decoder
from jobs.facts import aggregation, kept_events, spells
from jobs.facts.statistics.statistic import Statistic
from jobs.keeping import housekeeping
from jobs.running import spark_plan
from schemas import calendar_days, quarantine, straggler

SEQUENCE = StructField("sequence", LongType(), True, {"comment": "Ledger row that wrote this row."})
REVISION = (
    StructField("revision", IntegerType(), True, {"comment": "1 when first published, one more at each correction."}),
    StructField("updated_time", TimestampType(), True, {"comment": "When the row was last published, UTC."}),
)


OWN = {
    KIND: "Which kind of window.",
    EARLIER_KIND: "Which kind of window.",
    "window_start": "First instant of the window, UTC.",
    "window_end": "First instant after the window, UTC.",
    "session_start": "Time of the first event of the session, UTC.",
    "session_end": "Time of its last event, UTC.",
    "event_time": "When the event happened at which the row is anchored, UTC.",
    "record_partition": "Partition of its record.",
    "record_offset": "Offset of its record.",
    "outcome": "What became of it.",
    "steps": "How many steps were reached.",
    "rank": "Place among the items of the window and group, from 1.",
    "crowded": "Whether there are too many events to count the distinct values.",
    CARRIED.name: CARRIED.metadata["comment"],
    **{field.name: field.metadata["comment"] for field in INTERVAL},
    "version_valid_from": "From when on the version is valid, UTC; null: there is none yet.",
    "version_time": "When the database made the change that it is of, UTC.",
    **{field.name: field.metadata["comment"] for field in rule_report.COLUMNS},
    "version_op": "What kind of change that was.",
    "version_commit": "Place of the commit before its transaction in the log of the database.",
    "version_lsn": "Place of that change in the log of the database.",
    "due_time": "From then on, in complete time, no record that is not late can change the row.",
    "final": "Whether complete time has passed due_time.",
}
"""Columns of headrace's own in tables of answers."""
STATES = {"filters": "Bloom filters of {name}.", "clocks": "Last offsets of the clocks of devices, of {name}."}
"""What the table of a decision's state is, by its kind."""


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

    Raises Mistake if the transform does not return what panes and decisions need.
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
    tables = _tables_of_events(result, columns) if result.keeps_events else _tables_of_records(result, columns[0])
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
    tables += _tables_of_changes(result, by_topic)
    for answer in result.event_answers:
        contract.check_answer(result.name, answer, given)
        topics = [reads.topic for reads in result.all_reads]
        rows = StructType([*_with_comments(answer.columns(given), answer.by, (), topics), *REVISION])
        tables.append(Table(result.answer_table(answer), rows, (), f"An answer of {result.name}."))
    return tables


def _tables_of_changes(result: Result, by_topic: Mapping[str, StructType]) -> Iterator[Table]:
    """Latest rows or versions, deleted keys, and what is made of these."""
    topics = [reads.topic for reads in result.all_reads]
    of_versions = dict[ChangeAnswer, StructType]()
    for answer in result.change_answers:
        topic = result.change_topic(answer)
        of_versions[answer] = answer.columns(by_topic[topic])
        rows = _with_comments(of_versions[answer], answer.key, (), topics)
        contract.check_own_columns(result.name, rows)
        sentence = f"{type(answer).__name__} of {topic}: {result.name}."
        yield Table(result.answer_table(answer), StructType([*rows, *REVISION]), (), sentence)
        deleted = _with_comments(answer.deleted_columns(by_topic[topic]), answer.key, (), topics)
        sentence = "Deleted keys; without a key: the table was cleared of what had changed before."
        yield Table(result.deleted_table(answer), deleted, (), sentence)
    for made in result.as_of_answers:
        found = change_contract.check_as_of(result.name, made, by_topic[made.each], of_versions[made.versions])
        rows = StructType([*_with_comments(found, made.by, (), topics), *REVISION])
        contract.check_own_columns(result.name, found)
        yield Table(result.answer_table(made), rows, (), f"Events of {made.each} with versions: {result.name}.")
        if isinstance(made, StoredQueries):
            known = _with_comments(rule_report.columns(of_versions[made.rules], made.rules.row_key), (), (), topics)
            sentence = "Rules: what is wrong with each version, and how many events have met it."
            yield Table(result.rules_table(made), known, (), sentence)
    latest = {each.name: columns for each, columns in of_versions.items() if isinstance(each, Latest) and each.name}
    for view in result.views:
        found = change_contract.check_view(result.name, view, latest)
        rows = StructType([*_with_comments(found, (), (), topics), *REVISION])
        yield Table(result.answer_table(view), rows, (), f"A view over {', '.join(latest)}: {result.name}.")


def _tables_of_records(result: Result, columns: StructType) -> list[Table]:
    rows = StructType([*columns.fields])
    tables = []
    if result.decision:
        rows = StructType([*rows.fields, *result.decision.columns])
        sentence, kind = STATES[result.decision.kind].format(name=result.name), result.decision.kind
        by = result.decision.partitioned_by
        tables.append(Table(result.table(kind), result.decision.state, by, sentence, housekeeping.SETTINGS))
    if result.sessions:
        parts = spells.output(rows, result.sessions.spells)
        sentence = f"Spells of {result.name}: one for each session, and those of later batches."
        stored = StructType([*parts.fields, SEQUENCE])
        tables.append(Table(result.table("spells"), stored, (), sentence, housekeeping.SETTINGS))
        facts = result.sessions.spells
        published = _with_comments(result.sessions.columns(parts), facts.by, facts.statistics, [result.topic])
        published = StructType([*published, *REVISION])
        tables.append(Table(result.answer_table(result.sessions), published, (), f"Sessions of {result.name}."))
    elif result.panes:
        partials = aggregation.output(rows, result.panes)
        pane_columns = StructType([*partials.fields, SEQUENCE])
        tables.append(
            Table(result.table("panes"), pane_columns, (), f"Partial panes of {result.name}, one set a batch.")
        )
        if result.day_zones:
            contract.check_own_names(result.name, calendar_days.columns(partials), result.panes.columns)
            sentence = f"Days of {result.name}, of which its weeks, months and years are merged."
            day_columns = calendar_days.columns(partials)
            tables.append(Table(result.table("calendar_days"), day_columns, (), sentence, housekeeping.SETTINGS))
        merged, meanings = (
            merging.output(partials, result.panes),
            (result.panes.by, result.panes.statistics, [result.topic]),
        )
        commented = StructType([*_with_comments(_as_stored(merged, result), *meanings), *REVISION])
        tables.append(Table(result.name, commented, (), f"Published windows of {result.name}."))
        for ranking in result.rankings:
            contract.check_ranking(result.name, ranking, merged, result.panes.by)
            ranked = _with_comments(_as_stored(ranking.columns(merged), result), *meanings)
            ranked = StructType([*ranked, *REVISION])
            tables.append(Table(result.answer_table(ranking), ranked, (), f"A ranking of windows: {result.name}."))
    else:
        delivery.check_decided(result.name, result.deliver, rows)
        tables.append(
            Table(result.name, StructType([*rows.fields, SEQUENCE]), (), f"One row for each record: {result.name}.")
        )
    return tables


def _as_stored(columns: StructType, result: Result) -> StructType:
    """Columns of windows, with the label of their kind under the name that it has in the tables of `result`."""
    names = [result.window_column if name == KIND else name for name in columns.names]
    return StructType([StructField(name, column.dataType) for name, column in zip(names, columns, strict=True)])


def _with_comments(
    columns: StructType, by: Iterable[str], statistics: Iterable[Statistic], topics: Iterable[Any]
) -> StructType:
    """The columns of an answer, each with what it means: its own, or what the schema file of a topic says."""
    of_topics = {f.name: f.metadata.get("comment", "") for topic in topics for f in topic.COLUMNS}
    comments = dict(OWN)
    for statistic in statistics:
        comments |= statistic.comments(of_topics.get(statistic.column or "", statistic.column or ""))
    groups = dict.fromkeys(by, "Group.")
    commented = StructType()
    for name, kind in ((column.name, column.dataType) for column in columns):
        comment = comments.get(name) or of_topics.get(name) or groups.get(name)
        commented.add(StructField(name, kind, True, {"comment": comment} if comment else {}))
    return commented
