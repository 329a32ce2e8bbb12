"""What the records of a batch come to: in one quick pass, or, where some are doubtful, in a careful one.

Both give the same. The quick one reads, decodes, marks and aggregates each record once, and caches only what is to be
written: measured over 2,000,000 records of four fields, that halves the cost of a batch against caching its records.

Neither goes on if Spark has lost what a task reported (see task_facts): what tasks report is compared with what Spark
itself counts in the same pass. Then the careful pass does what the quick one has done, and what it does itself it does
again, once.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.answers.result import Result
from jobs.decisions import membership
from jobs.events import fast_decoder, gate, lateness, task_facts
from jobs.events.arrow_step import ArrowStep
from jobs.facts import aggregation
from jobs.facts.panes import Panes
from jobs.running import durations
from jobs.running.errors import Refused
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
    """What lateness.FACTS has of each partition."""
    output: DataFrame | pa.Table
    """Partial panes, or rows; of few records in the memory of this process."""
    filters: pa.Table | None
    """Those that changed, in the columns of membership.changed."""
    bad: DataFrame | None
    """The bad records, in the columns of gate.quarantined; None if there is none."""
    doubtful: bool
    """Whether there were records that only the gate can judge."""


FEW_RECORDS = 20_000
"""What so many records come to is held in memory; glance.LONGEST_BYTES bounds what each may be."""


def quick(records: DataFrame, result: Result, before: Before, cached: ExitStack, few: bool) -> Pass | None:
    """None if a record is doubtful, if Spark did not read each partition in one piece and in order, or if something is
    missing of what its tasks have reported: also where Spark knows without reading that the transform drops everything.

    `few`: there are not more than FEW_RECORDS. Then a core reads several partitions, one after the other, and what
    comes of them is fetched at once: a task costs more than its records, and a cache costs two Spark jobs.
    """
    seen, sightings = task_facts.telling(records.sparkSession), task_facts.telling(records.sparkSession)
    if few:
        records = records.coalesce(records.sparkSession.sparkContext.defaultParallelism)
    events = fast_decoder.events(
        fast_decoder.look(records, result.topic, before.stream_micros, _allowed_seconds(result), seen)
    )
    rows = result.transform(events)
    keeps_all = fast_decoder.picked(events, rows)
    if keeps_all:
        output = _in_one_trip(records, rows.columns, result, before, seen, sightings)
    else:
        output = _output(rows, result, before, sightings)
    with _blocks_by_records(records.sparkSession):
        if few:
            output = output.toArrow()
        else:
            cached.callback(output.persist().unpersist)
        written = _records_of(output, result.panes)
    is_complete = task_facts.is_complete(seen, records.rdd.getNumPartitions())
    facts, marked = task_facts.heard(seen), task_facts.heard(sightings)
    good, doubtful = (sum(fact[name] for fact in facts.values()) for name in ("records", "quarantined"))
    if doubtful or not task_facts.is_whole(facts) or not task_facts.is_whole(marked):
        return None
    if not is_complete or (keeps_all and good != written) or not _are_answered(result, marked, written):
        return None
    return Pass(list(facts.values()), output, _changed(result, marked), None, False)


def careful(records: DataFrame, result: Result, before: Before, cached: ExitStack) -> Pass:
    """The gate judges the doubtful records, and each partition is put in order. Caches the records too.

    Raises Refused if something is missing twice of what Spark's tasks report of the filters.
    """
    seen = task_facts.telling(records.sparkSession)
    allowed = _allowed_seconds(result)
    looked = fast_decoder.look(records, result.topic, before.stream_micros, allowed, seen).persist()
    cached.callback(looked.unpersist)
    decoded = fast_decoder.settled(records, looked, result.topic).persist()
    cached.callback(decoded.unpersist)
    facts = [row.asDict() for row in lateness.summarise(decoded, before.stream_micros, allowed).collect()]
    events = gate.events(decoded)
    if result.membership:
        events = membership.in_order(events)
    output, filters = _output_of_ordered(events, result, before, cached)
    doubtful = any(fact["quarantined"] for fact in task_facts.heard(seen).values())
    bad = gate.quarantined(decoded, result.topic.TOPIC) if any(fact["quarantined"] for fact in facts) else None
    return Pass(facts, output, filters, bad, doubtful)


ATTEMPTS = 2
"""To get all that the tasks of one pass report."""


def _output_of_ordered(
    events: DataFrame, result: Result, before: Before, cached: ExitStack
) -> tuple[DataFrame, pa.Table | None]:
    """The output of events that are in order, cached, and the filters that they change."""
    for _ in range(ATTEMPTS):
        sightings = task_facts.telling(events.sparkSession)
        output = _output(result.transform(events), result, before, sightings).persist()
        written, marked = _records_of(output, result.panes), task_facts.heard(sightings)
        if _are_answered(result, marked, written):
            cached.callback(output.unpersist)
            return output, _changed(result, marked)
        output.unpersist()
    raise Refused(
        f"{result.name}: Spark has lost, twice, what its tasks reported: which filters of membership a batch of topic "
        f"{result.topic.TOPIC} changes ({_answered(marked):,} records are in the reports, {written:,} in the batch). "
        "Nothing of the batch was written. Run again: the next run does it again. If it comes back, give the driver "
        "more memory and cores."
    )


def _records_of(output: DataFrame | pa.Table, panes: Panes | None) -> int:
    """How many records a pass has written into its output; computes it, if it is to be cached."""
    if isinstance(output, pa.Table):
        return int(pc.sum(output[panes.count]).as_py() or 0) if panes else len(output)
    return int(output.agg(F.sum(F.col(f"`{panes.count}`"))).collect()[0][0] or 0) if panes else output.count()


def _are_answered(result: Result, marked: task_facts.Facts, written: int) -> bool:
    """Whether what tasks report of filters is of all records that were written."""
    return not result.membership or _answered(marked) == written


def _answered(marked: task_facts.Facts) -> int:
    return sum(fact["records"] for fact in marked.values())


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
    seen: task_facts.Told,
    sightings: task_facts.Told,
) -> DataFrame:
    """As _output, for a transform that only picks `columns`: then the records go to Python once, not twice."""
    frame, names = fast_decoder.flat(records), result.kept(columns)
    if result.membership:
        frame, names = membership.hashed(frame, "key"), _after_hashing([*names, membership.HASH.name], result)
    also = (membership.HASH,) if result.membership else ()
    look = fast_decoder.looking(result.topic, before.stream_micros, _allowed_seconds(result), seen, also)
    return _marked_and_added_up(frame, look.then(fast_decoder.picking(look.output, names)), result, before, sightings)


def _output(rows: DataFrame, result: Result, before: Before, sightings: task_facts.Told) -> DataFrame:
    """What comes of what the transform has given."""
    rows = rows.select(*result.kept(rows.columns))
    if result.membership:
        rows = membership.hashed(rows)
        rows = rows.select(*_after_hashing(rows.columns, result))
    return _marked_and_added_up(rows, ArrowStep(lambda batches: batches, rows.schema), result, before, sightings)


def _after_hashing(names: list[str], result: Result) -> list[str]:
    """Without the key, if it was there to be hashed only."""
    wanted = not result.panes or "record_key" in result.panes.columns
    return [name for name in names if wanted or name != "record_key"]


def _marked_and_added_up(
    frame: DataFrame, first: ArrowStep, result: Result, before: Before, sightings: task_facts.Told
) -> DataFrame:
    """The panes, or the rows of a result that keeps them, of what comes out of the step `first`."""
    step = first
    if result.membership:
        allowed = _allowed_seconds(result)
        step = step.then(membership.marking(step.output, before.filters, result.membership, allowed, sightings))
    return aggregation.collect(frame, result.panes, step) if result.panes else step.over(frame)


@contextmanager
def _blocks_by_records(spark: SparkSession) -> Iterator[None]:
    """Spark makes blocks for Python of so many records, and does not measure each: that is a fifth of what Java does
    here. glance.LONGEST_BYTES bounds what a record is.
    """
    before = str(spark.conf.get(_BYTES_OF_A_BLOCK))
    spark.conf.set(_BYTES_OF_A_BLOCK, 2**31 - 1)
    try:
        yield
    finally:
        spark.conf.set(_BYTES_OF_A_BLOCK, before)


_BYTES_OF_A_BLOCK = "spark.sql.execution.arrow.maxBytesPerBatch"


def _changed(result: Result, marked: task_facts.Facts) -> pa.Table | None:
    return membership.changed(marked) if result.membership else None


def _allowed_seconds(result: Result) -> int:
    return durations.seconds(result.allowed_lateness)
