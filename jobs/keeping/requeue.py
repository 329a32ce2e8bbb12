"""Quarantined records read again: those that the topic's schema accepts today go into the tables, each once.

Records that were quarantined because they were late go in as corrections; those that were too late stay, as the events
beside them may be gone. So do those that have waited until these may be gone.

Nothing is measured again: stream time, lateness and the state of a decision stay as they were when the log was read. So
in a result with membership a requeued record gets `seen_before` null, which means too late to say, and the filters do
not learn its key; in one with clocks it is not corrected, and has `clock_refusal` "requeued". The ledger row counts
requeued records as `records` n and `quarantined` -n. So, over the whole ledger: the log had as many records as the sum
of `records` of batches, the sum of `quarantined` of all rows waits in quarantine, and the rest is good.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.answers import batch_plan
from jobs.answers.result import Result
from jobs.events import arrow_step, gate, stragglers
from jobs.facts import aggregation
from jobs.keeping import housekeeping, late_records, ledger, locks, recovery
from jobs.keeping.ledger import Row
from jobs.keeping.manual_change import ManualChange
from jobs.keeping.steps import Kind, Step, announce
from jobs.lake import delta_tables
from jobs.log import schema_registry
from jobs.publishing import window_column
from jobs.run import Run
from jobs.running import mistakes
from jobs.running.errors import Refused


@dataclass(frozen=True)
class _Readable:
    """What can be read now of the waiting records of one topic."""

    reading: Result
    """The result, as if it read this topic alone."""
    events: DataFrame
    """The good ones, cached."""
    good: int
    """How many they are."""
    late: pa.Table
    """Places of all waiting records of the topic that were late: partition and offset."""
    outdated: int
    """How many further good ones have waited so long that the events beside them may be gone."""


def requeue(run: Run, result: Result) -> Row:
    """Read the quarantine of `result` again; returns the ledger's last row, which is a new one if a record was good.

    A requeue that stops half-way is taken back by the next run, of this or of the job. Raises Refused when the result
    has no tables yet, when it is running, and when the tables are not as they must be; see recovery.resume.
    """
    if ledger.last(run.places, result.name) is None:
        raise Refused(
            f"{result.name} has no ledger in {run.places.tables}: there is nothing to requeue before its first run."
        )
    with mistakes.note_location(result.transform), locks.exclusive_run(run.spark, run.places.checkpoints, result.name):
        schema_registry.connect(run.places, [reads.topic for reads in result.all_reads])
        result = window_column.as_stored(run.places, result)
        start = recovery.resume(run.spark, run.places, result, finish=False, step=run.step)
        for note in start.notes:
            run.say(f"{result.name}: {note}")
        waiting = _waiting_rows(run, result, start.last)
        in_time = waiting.where(F.col("reason") != stragglers.TOO_LATE)
        with ExitStack() as cached:
            first = housekeeping.correctable_from(result, start.last.expired_stream_time)
            readable = [
                _read_again(in_time, reading, None if reading.topic_form else first, cached)
                for reading in result.readings
            ]
            good, outdated = sum(one.good for one in readable), sum(one.outdated for one in readable)
            run.say(_summary(result.name, waiting, good, outdated))
            if not good:
                return start.last
            return _write(ManualChange(run, result, start.last), waiting, [one for one in readable if one.good])


def _waiting_rows(run: Run, result: Result, last: Row) -> DataFrame:
    """The rows of the quarantine that wait, in the version that the ledger knows."""
    name = result.table("quarantine")
    reader = run.spark.read.format("delta").option("versionAsOf", last.tables[name]["version"])
    return reader.load(run.places.table(name)).where(F.col("requeued_sequence").isNull())


def _read_again(waiting: DataFrame, reading: Result, first: datetime | None, cached: ExitStack) -> _Readable:
    """What the schema of one topic accepts today, of events at `first` or later; `cached` gets the frame."""
    of_topic = waiting.where(F.col("topic") == reading.topic.TOPIC)
    decoded = gate.decode(of_topic, reading.topic).persist()
    cached.callback(decoded.unpersist)
    events = gate.good_events(decoded)
    outdated = 0
    if first is not None:
        is_outdated = F.col("event_time") < F.lit(first)
        outdated = events.where(is_outdated).count()
        events = events.where(~is_outdated)
    late = of_topic.where(F.col("reason") == stragglers.LATE).select("partition", "offset")
    return _Readable(reading, events, events.count(), late.toArrow(), outdated)


def _summary(name: str, waiting: DataFrame, good: int, outdated: int) -> str:
    counts = {row.reason: row["count"] for row in waiting.groupBy("reason").count().collect()}
    read, too_late = sum(counts.values()), counts.get(stragglers.TOO_LATE, 0) + outdated
    if not read:
        return f"{name}: nothing waits in quarantine"
    if not good:
        words = f"nothing to requeue, {read:,} records wait in quarantine and none can be read yet"
    else:
        words = f"{good:,} of {read:,} records can be read now, {read - good:,} go on waiting"
    return f"{name}: {words}" + (f"; too late to correct an answer: {too_late:,}" if too_late else "")


def _write(change: ManualChange, waiting: DataFrame, readable: list[_Readable]) -> Row:
    """The commits of one requeue, and its ledger row. There is a good record in each of `readable`."""
    good = sum(one.good for one in readable)
    row = change.last.next(Kind.REQUEUE, records=good, quarantined=-good)
    for one in readable:
        with mistakes.note_location(one.reading.transform):
            _append(change, row, one)
    _mark_requeued(change, row, waiting, readable)
    return change.close(change.publish_all(row))


def _append(change: ManualChange, row: Row, readable: _Readable) -> None:
    """Append the records to the panes, the spells, the kept events, or to the table of a result that keeps rows."""
    result = readable.reading
    rows = result.transform(readable.events)
    if result.decision:
        rows = result.decision.add_undecided(rows)
    if result.panes:
        step, name = Step.PANES, result.table("panes")
        rows = aggregation.aggregate(rows, result.panes)
    elif result.sessions:
        step, name = Step.SPELLS, result.table("spells")
        rows = batch_plan.rows_to_answer(rows, result)
        rows = batch_plan.output(rows, arrow_step.identity(rows.schema), result)
    elif result.keeps_events:
        step, name = Step.EVENTS, result.events_table(result.topic.TOPIC)
        rows = batch_plan.rows_to_answer(rows, result)
        rows = batch_plan.output(rows, arrow_step.identity(rows.schema), result)
        rows = late_records.mark(rows, readable.late)
    else:
        step, name = Step.ROWS, result.name
    with announce(change.run.step, step):
        path = change.run.places.table(name)
        delta_tables.append(rows, path, change.commit(row, step), {"sequence": row.sequence})


def _mark_requeued(change: ManualChange, row: Row, waiting: DataFrame, readable: list[_Readable]) -> None:
    """Write into their rows of the quarantine which ledger row has read them again."""
    places = reduce(DataFrame.unionByName, map(_places, readable))
    source = waiting.join(places, ["topic", "partition", "offset"], "left_semi")
    source = source.withColumn("requeued_sequence", F.lit(row.sequence).cast("bigint"))
    same = "t.topic = s.topic and t.partition = s.partition and t.offset = s.offset"
    condition = f"{same} and t.requeued_sequence is null"
    update = {"requeued_sequence": "s.requeued_sequence"}
    with announce(change.run.step, Step.QUARANTINE):
        path = change.run.places.table(change.result.table("quarantine"))
        delta_tables.merge(source, path, condition, "true", update, change.commit(row, Step.QUARANTINE))


def _places(readable: _Readable) -> DataFrame:
    return readable.events.select(
        F.lit(readable.reading.topic.TOPIC).alias("topic"),
        F.col("record_partition").alias("partition"),
        F.col("record_offset").alias("offset"),
    )
