"""What the records of a batch come to: in one fast pass, or, where some are doubtful, in an exact one.

Both give the same. The fast one reads, decodes, answers and aggregates each record once, and caches only what is to be
written: measured over 2,000,000 records of four fields, that halves the cost of a batch against caching its records.

Neither goes on if Spark has lost what a task reported (see task_facts): the reports are compared with what Spark itself
counts in the same pass. Then the exact pass does what the fast one has done; and what it has done itself it does again,
once.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.answers import batch_plan
from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.decisions import seen_before
from jobs.events import fast_decoder, gate, lateness, task_facts
from jobs.facts.panes import Panes
from jobs.running.errors import Refused
from jobs.running.progress import NONE_GOOD

FEW_RECORDS = 20_000
"""The output of so many records is held in memory; fast_decoder.LONGEST_BYTES bounds what each may be."""
ATTEMPTS = 2
"""To get all that the tasks of one pass report."""
_BYTES_OF_A_BLOCK = "spark.sql.execution.arrow.maxBytesPerBatch"


@dataclass(frozen=True)
class Outcome:
    """What the records of a batch come to; its frames are cached."""

    facts: list[dict[str, Any]]
    """A row of lateness.MEASURES for each partition."""
    output: DataFrame | pa.Table
    """Partial panes, or rows; of few records in the memory of this process."""
    filters: pa.Table | None
    """Those that changed, in the columns of seen_before.changed_filters."""
    bad: DataFrame | None
    """The bad records, in the columns of gate.bad_records; None if there is none."""
    has_doubtful: bool
    """Whether there were records that only the gate can judge."""


def fast(records: DataFrame, result: Result, prior: Prior, cached: ExitStack, few: bool) -> Outcome | None:
    """None if a record is doubtful, if Spark did not read each partition in one piece and in order, or if something is
    missing of what its tasks have reported: also where Spark knows without reading that the transform drops everything.

    `few`: there are not more than FEW_RECORDS. Then a core reads several partitions, one after the other, and the
    output is fetched at once: a task costs more than its records, and a cache costs two Spark jobs.
    """
    spark = records.sparkSession
    lateness_facts, filter_facts = task_facts.accumulator(spark), task_facts.accumulator(spark)
    if few:
        records = records.coalesce(spark.sparkContext.defaultParallelism)
    plan, keeps_all = batch_plan.fast_output(records, result, prior, lateness_facts, filter_facts)
    with _blocks_by_records(spark):
        output = plan.toArrow() if few else plan.persist()
        if not few:
            cached.callback(plan.unpersist)
        written = _records_of(output, result.panes)
    is_complete = task_facts.is_complete(lateness_facts, records.rdd.getNumPartitions())
    answered = task_facts.total(filter_facts, "records")
    facts, filters = task_facts.drain(lateness_facts), task_facts.drain(filter_facts)
    good, doubtful = (sum(fact[name] for fact in facts.values()) for name in ("records", "quarantined"))
    if doubtful or not task_facts.partitions_read_whole(facts) or not task_facts.partitions_read_whole(filters):
        return None
    if not is_complete or (keeps_all and good != written) or (result.membership and answered != written):
        return None
    return Outcome(list(facts.values()), output, batch_plan.changed_filters(result, filters), None, False)


def exact(records: DataFrame, result: Result, prior: Prior, cached: ExitStack) -> Outcome:
    """The gate judges the doubtful records, and each partition is put in order. Caches the records too.

    Raises Refused if something is missing twice of what Spark's tasks report of the filters.
    """
    lateness_facts = task_facts.accumulator(records.sparkSession)
    allowed = batch_plan.allowed_seconds(result)
    looked = fast_decoder.decode(records, result.topic, prior.stream_micros, allowed, lateness_facts).persist()
    cached.callback(looked.unpersist)
    decoded = fast_decoder.resolve_doubtful(records, looked, result.topic).persist()
    cached.callback(decoded.unpersist)
    facts = [row.asDict() for row in lateness.summarise(decoded, prior.stream_micros, allowed).collect()]
    events = gate.good_events(decoded)
    if result.membership:
        events = seen_before.in_order(events)
    output, filters = _output_of_ordered(events, result, prior, cached)
    has_doubtful = any(fact["quarantined"] for fact in task_facts.drain(lateness_facts).values())
    bad = gate.bad_records(decoded, result.topic.TOPIC) if any(fact["quarantined"] for fact in facts) else None
    return Outcome(facts, output, filters, bad, has_doubtful)


def _output_of_ordered(
    events: DataFrame, result: Result, prior: Prior, cached: ExitStack
) -> tuple[DataFrame, pa.Table | None]:
    """The output of events that are in order, cached, and the filters that they change."""
    for _ in range(ATTEMPTS):
        filter_facts = task_facts.accumulator(events.sparkSession)
        output = batch_plan.output(result.transform(events), result, prior, filter_facts).persist()
        written, answered = _records_of(output, result.panes), task_facts.total(filter_facts, "records")
        if not result.membership or answered == written:
            cached.callback(output.unpersist)
            return output, batch_plan.changed_filters(result, task_facts.drain(filter_facts))
        output.unpersist()
    raise Refused(
        f"{result.name}: Spark has lost, twice, what its tasks reported: which filters of membership a batch of topic "
        f"{result.topic.TOPIC} changes ({answered:,} records are in the reports, {written:,} in the batch). Nothing of "
        "the batch was written. Run again: the next run does it again. If it comes back, give the driver more memory "
        "and cores."
    )


def _records_of(output: DataFrame | pa.Table, panes: Panes | None) -> int:
    """How many records went into the output. Computes it, if it is a frame to be cached."""
    if isinstance(output, pa.Table):
        return int(pc.sum(output[panes.count]).as_py() or 0) if panes else len(output)
    return int(output.agg(F.sum(F.col(f"`{panes.count}`"))).collect()[0][0] or 0) if panes else output.count()


def reasons_of_bad(outcome: Outcome) -> str:
    """Why the records of a batch are bad of which none is good."""
    assert outcome.bad is not None
    counts = outcome.bad.groupBy("reason", "field").count().orderBy("reason", "field").collect()
    reasons = ", ".join(f"{row['count']:,} {row.reason}" + (f" of {row.field}" if row.field else "") for row in counts)
    return f"{NONE_GOOD} {sum(row['count'] for row in counts):,} records of the batch is good: {reasons}"


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
