"""Quarantined records read again: those that the topic's schema accepts today go into the tables, each once.

Nothing is measured again: stream time, lateness and the Bloom filters stay as they were when the log was read. So in a
result with membership a requeued record gets `seen_before` null, which means too late to say, and the filters do not
learn its key. The ledger row counts requeued records as `records` n and `quarantined` -n. So, over the whole ledger:
the log had as many records as the sum of `records` of batches, the sum of `quarantined` of all rows waits in
quarantine, and the rest is good.
"""

from dataclasses import dataclass, replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.answers.result import Result
from jobs.events import gate
from jobs.facts import aggregation
from jobs.keeping import ledger, locks, recovery
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind, Step, announce
from jobs.lake import commits, delta_tables
from jobs.publishing import publication
from jobs.publishing.finality import Finality
from jobs.run import Run
from jobs.running import mistakes
from jobs.running.errors import Refused


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
        start = recovery.resume(run.spark, run.places, result, finish=False, step=run.step)
        for note in start.notes:
            run.say(f"{result.name}: {note}")
        waiting = _waiting_rows(run, result, start.last)
        decoded = gate.decode(waiting, result.topic).persist()
        try:
            read, good = decoded.count(), gate.good_events(decoded).count()
            run.say(_summary(result.name, read, good))
            return (
                _Requeue(run, result, start.last).close(waiting, gate.good_events(decoded), good)
                if good
                else start.last
            )
        finally:
            decoded.unpersist()


def _waiting_rows(run: Run, result: Result, last: Row) -> DataFrame:
    """The rows of the quarantine that wait, in the version that the ledger knows."""
    name = result.table("quarantine")
    reader = run.spark.read.format("delta").option("versionAsOf", last.tables[name]["version"])
    return reader.load(run.places.table(name)).where(F.col("requeued_sequence").isNull())


def _summary(name: str, read: int, good: int) -> str:
    if not read:
        return f"{name}: nothing waits in quarantine"
    if not good:
        return f"{name}: nothing to requeue, {read:,} records wait in quarantine and none can be read yet"
    return f"{name}: {good:,} of {read:,} records can be read now, {read - good:,} go on waiting"


@dataclass
class _Requeue:
    """The commits of one requeue, and the ledger row that closes it."""

    run: Run
    result: Result
    last: Row

    def close(self, waiting: DataFrame, events: DataFrame, good: int) -> Row:
        row = self.last.next(Kind.REQUEUE, records=good, quarantined=-good)
        self._append(row, self.result.transform(events))
        self._mark_requeued(row, waiting, events)
        if self.result.windows and not self.result.deliver:  # else the next run publishes them, with their feed
            commit, since = self._commit(row, Step.WINDOWS), self.last.published_sequence
            finality = Finality(self.last.published_complete_time, row.complete_time)
            with announce(self.run.step, Step.WINDOWS):
                publication.publish(self.run.spark, self.run.places, self.result, since, finality, commit)
            row = replace(row, published_sequence=row.sequence, published_complete_time=row.complete_time)
        row = ledger.close(self.run, row, self._commit(row, Step.LEDGER))
        self.run.closed(self.result.name, row, None)
        return row

    def _append(self, row: Row, rows: DataFrame) -> None:
        """Append the records to the panes, or to the table of a result that keeps rows."""
        if self.result.membership:
            rows = rows.withColumn("seen_before", F.lit(None).cast("boolean"))
        step, name = Step.ROWS, self.result.name
        if self.result.panes:
            step, name = Step.PANES, self.result.table("panes")
            rows = aggregation.aggregate(rows, self.result.panes)
        with announce(self.run.step, step):
            path = self.run.places.table(name)
            delta_tables.append(rows, path, self._commit(row, step), {"sequence": row.sequence})

    def _mark_requeued(self, row: Row, waiting: DataFrame, events: DataFrame) -> None:
        """Write into their rows of the quarantine which ledger row has read them again."""
        places = events.select("record_partition", "record_offset")
        same = (F.col("partition") == F.col("record_partition")) & (F.col("offset") == F.col("record_offset"))
        source = waiting.join(places, same, "left_semi")
        source = source.withColumn("requeued_sequence", F.lit(row.sequence).cast("bigint"))
        condition = "t.partition = s.partition and t.offset = s.offset and t.requeued_sequence is null"
        update = {"requeued_sequence": "s.requeued_sequence"}
        with announce(self.run.step, Step.QUARANTINE):
            path = self.run.places.table(self.result.table("quarantine"))
            delta_tables.merge(source, path, condition, "true", update, self._commit(row, Step.QUARANTINE))

    def _commit(self, row: Row, step: Step) -> commits.Commit:
        # No batch has this generation, so that the next run recognises an unfinished requeue and takes it back.
        generation = f"requeue-{row.sequence}"
        return commits.Commit(self.result.name, generation, row.sequence, step, row.start_offsets, row.end_offsets)
