"""What the records of a batch come to: in one quick pass, or, where some are doubtful, in a careful one.

Both give the same. The quick one reads, decodes, marks and aggregates each record once, and caches only what is to be
written: measured over 2,000,000 records of four fields, that halves the cost of a batch against caching its records.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from jobs.answers.result import Result
from jobs.decisions import membership
from jobs.events import fast_decoder, gate, lateness, task_facts
from jobs.events.arrow_step import ArrowStep
from jobs.facts import aggregation
from jobs.running import durations, spark_plan
from jobs.running.progress import NONE_GOOD


@dataclass(frozen=True)
class Before:
    """What a pass has to know of the records before it."""

    stream_micros: dict[int, int]
    """Stream time of each partition."""
    filters: pa.Table | None
    """In the columns of schemas/filters.py; None if the result has no membership."""


@dataclass(frozen=True)
class Pass:
    """What the records of a batch come to; its frames are cached."""

    facts: list[dict[str, Any]]
    """What lateness.MEASURES has of each partition."""
    output: DataFrame | pa.Table
    """Partial panes, or rows; of few records in the memory of this process."""
    filters: pa.Table | None
    """Those that changed, in the columns of membership.changed_filters."""
    bad: DataFrame | None
    """The bad records, in the columns of gate.bad_records; None if there is none."""
    doubtful: bool
    """Whether there were records that only the gate can judge."""


FEW_RECORDS = 20_000
"""What so many records come to is held in memory; fast_decoder.LONGEST_BYTES bounds what each may be."""


def quick(records: DataFrame, result: Result, before: Before, cached: ExitStack, few: bool) -> Pass | None:
    """None if a record is doubtful, or if Spark did not read each partition in one piece and in order.

    `few`: there are not more than FEW_RECORDS. Then a core reads several partitions, one after the other, and what
    comes of them is fetched at once: a task costs more than its records, and a cache costs two Spark jobs.
    """
    seen, sightings = task_facts.accumulator(records.sparkSession), task_facts.accumulator(records.sparkSession)
    if few:
        records = records.coalesce(records.sparkSession.sparkContext.defaultParallelism)
    events = fast_decoder.good_events(
        fast_decoder.decode(records, result.topic, before.stream_micros, _allowed_seconds(result), seen)
    )
    rows = result.transform(events)
    if spark_plan.is_selection(events, rows):
        output = _in_one_trip(records, rows.columns, result, before, seen, sightings)
    else:
        output = _output(rows, result, before, sightings)
    with _blocks_by_records(records.sparkSession):
        if few:
            output = output.toArrow()
        else:
            cached.callback(output.persist().unpersist)
            output.count()
    facts, marked = task_facts.drain(seen), task_facts.drain(sightings)
    doubtful = any(fact["quarantined"] for fact in facts.values())
    if doubtful or not task_facts.partitions_read_whole(facts) or not task_facts.partitions_read_whole(marked):
        return None
    return Pass(list(facts.values()), output, _changed(result, marked), None, False)


def careful(records: DataFrame, result: Result, before: Before, cached: ExitStack) -> Pass:
    """The gate judges the doubtful records, and each partition is put in order. Caches the records too."""
    seen, sightings = task_facts.accumulator(records.sparkSession), task_facts.accumulator(records.sparkSession)
    allowed = _allowed_seconds(result)
    looked = fast_decoder.decode(records, result.topic, before.stream_micros, allowed, seen).persist()
    cached.callback(looked.unpersist)
    decoded = fast_decoder.resolve_doubtful(records, looked, result.topic).persist()
    cached.callback(decoded.unpersist)
    facts = [row.asDict() for row in lateness.summarise(decoded, before.stream_micros, allowed).collect()]
    events = gate.good_events(decoded)
    if result.membership:
        events = membership.in_order(events)
    output = _output(result.transform(events), result, before, sightings).persist()
    cached.callback(output.unpersist)
    output.count()
    doubtful = any(fact["quarantined"] for fact in task_facts.drain(seen).values())
    bad = gate.bad_records(decoded, result.topic.TOPIC) if any(fact["quarantined"] for fact in facts) else None
    return Pass(facts, output, _changed(result, task_facts.drain(sightings)), bad, doubtful)


def said_of_bad(passed: Pass) -> str:
    """Why the records of a batch are bad of which none is good."""
    assert passed.bad is not None
    found = passed.bad.groupBy("reason", "field").count().orderBy("reason", "field").collect()
    reasons = ", ".join(f"{row['count']:,} {row.reason}" + (f" of {row.field}" if row.field else "") for row in found)
    return f"{NONE_GOOD} {sum(row['count'] for row in found):,} records of the batch is good: {reasons}"


def _in_one_trip(
    records: DataFrame,
    columns: list[str],
    result: Result,
    before: Before,
    seen: task_facts.FactAccumulator,
    sightings: task_facts.FactAccumulator,
) -> DataFrame:
    """As _output, for a transform that only picks `columns`: then the records go to Python once, not twice."""
    frame, names = fast_decoder.flatten(records), result.kept(columns)
    if result.membership:
        frame, names = membership.with_key_hash(frame, "key"), _after_hashing([*names, membership.HASH.name], result)
    also = (membership.HASH,) if result.membership else ()
    look = fast_decoder.decode_step(result.topic, before.stream_micros, _allowed_seconds(result), seen, also)
    return _marked_and_added_up(
        frame, look.then(fast_decoder.select_good_step(look.output, names)), result, before, sightings
    )


def _output(rows: DataFrame, result: Result, before: Before, sightings: task_facts.FactAccumulator) -> DataFrame:
    """What comes of what the transform has given."""
    rows = rows.select(*result.kept(rows.columns))
    if result.membership:
        rows = membership.with_key_hash(rows)
        rows = rows.select(*_after_hashing(rows.columns, result))
    return _marked_and_added_up(rows, ArrowStep(lambda batches: batches, rows.schema), result, before, sightings)


def _after_hashing(names: list[str], result: Result) -> list[str]:
    """Without the key, if it was there to be hashed only."""
    wanted = not result.panes or "record_key" in result.panes.columns
    return [name for name in names if wanted or name != "record_key"]


def _marked_and_added_up(
    frame: DataFrame, first: ArrowStep, result: Result, before: Before, sightings: task_facts.FactAccumulator
) -> DataFrame:
    """The panes, or the rows of a result that keeps them, of what comes out of the step `first`."""
    step = first
    if result.membership:
        allowed = _allowed_seconds(result)
        step = step.then(membership.mark_step(step.output, before.filters, result.membership, allowed, sightings))
    return aggregation.collect(frame, result.panes, step) if result.panes else step.over(frame)


@contextmanager
def _blocks_by_records(spark: SparkSession) -> Iterator[None]:
    """Spark makes blocks for Python of so many records, and does not measure each: that is a fifth of what Java does
    here. fast_decoder.LONGEST_BYTES bounds what a record is.
    """
    before = str(spark.conf.get(_BYTES_OF_A_BLOCK))
    spark.conf.set(_BYTES_OF_A_BLOCK, 2**31 - 1)
    try:
        yield
    finally:
        spark.conf.set(_BYTES_OF_A_BLOCK, before)


_BYTES_OF_A_BLOCK = "spark.sql.execution.arrow.maxBytesPerBatch"


def _changed(result: Result, marked: task_facts.Facts) -> pa.Table | None:
    return membership.changed_filters(marked) if result.membership else None


def _allowed_seconds(result: Result) -> int:
    return durations.seconds(result.allowed_lateness)
