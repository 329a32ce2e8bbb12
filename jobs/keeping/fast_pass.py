"""What the records of a batch come to, if all are certain: each is read, decoded, answered and added up in one process,
once.

Few records are read by this process itself, and Spark runs no job for them. More are read by tasks; then only partial
panes, or rows, go to Java, and only they are cached.

The pass is not believed if Spark has lost what a task reported (see task_facts): the reports are compared with what
Spark itself counts in the same pass.
"""

from contextlib import ExitStack

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from jobs.answers import batch_plan
from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.events import arrow_step, task_facts
from jobs.events.arrow_step import ArrowStep
from jobs.keeping.outcome import Outcome, count_records
from jobs.log.batch_records import Batches, BatchRecords
from schemas import archive

FEW_RECORDS = 100_000
"""So many records are read by this process: it takes about half a second, no more than a job of Spark's, and a run
that is short needs no worker.
"""
FEW_BYTES = 64 * 2**20
"""Few records that are larger than this are left to tasks all the same."""
FEW_EVENTS = 500_000
"""So many records are read by this process, and five times the bytes, if events are kept: all of them come to it, and
the way from tasks through Java costs several times as much as reading them.
"""


class _TooLarge(Exception):
    """The records take too many bytes."""


class FastPass:
    """The fast pass over the batches of one run."""

    def __init__(self, spark: SparkSession, result: Result) -> None:
        self._result = result
        self._selected = batch_plan.selected_columns(spark, result)

    def evaluate(self, records: BatchRecords, prior: Prior, cached: ExitStack) -> Outcome | None:
        """None if a record is doubtful, if Spark did not keep the records of each partition in one piece and in order,
        or if something is missing of what its tasks have reported: also where Spark knows without reading that the
        transform drops everything. The frames of the outcome are in `cached`.
        """
        keeps_events = self._result.events_by is not None
        if records.offsets <= (FEW_EVENTS if keeps_events else FEW_RECORDS):
            try:
                most_bytes = 5 * FEW_BYTES if keeps_events else FEW_BYTES
                return _Pass(self._result, prior, self._selected, records).here(most_bytes)
            except _TooLarge:
                pass
        return _Pass(self._result, prior, self._selected, records).in_tasks(cached)


class _Pass:
    """The fast pass over one batch."""

    def __init__(self, result: Result, prior: Prior, selected: list[str] | None, records: BatchRecords) -> None:
        self._result, self._prior, self._selected, self._records = result, prior, selected, records
        self._lateness_facts = task_facts.accumulator(records.spark)
        self._decision_facts = task_facts.accumulator(records.spark)

    def here(self, most_bytes: int) -> Outcome | None:
        """Raises _TooLarge."""
        events = batch_plan.decode(self._result, self._prior, self._lateness_facts)
        blocks = _check_size(self._records.here(), most_bytes)
        if self._selected is not None:
            rows = batch_plan.select(events, self._selected, self._result)
        else:
            decoded = events.table(blocks)
            if self._has_doubtful() or not len(decoded):
                return None
            frame = self._records.spark.createDataFrame(decoded, events.output)
            frame = batch_plan.rows_to_answer(self._result.transform(frame), self._result)
            rows, blocks = arrow_step.identity(frame.schema), iter(frame.toArrow().to_batches())
        answered = batch_plan.answer(rows, self._result, self._prior, self._decision_facts)
        return self._outcome(batch_plan.output_here(answered, self._result).table(blocks), tasks=1)

    def in_tasks(self, cached: ExitStack) -> Outcome | None:
        read = ArrowStep(self._records.read_in_task(), archive.COLUMNS)
        events = read.then(batch_plan.decode(self._result, self._prior, self._lateness_facts))
        frame = self._records.tasks()
        if self._selected is not None:
            rows = batch_plan.select(events, self._selected, self._result)
        else:
            frame = batch_plan.rows_to_answer(self._result.transform(events.over(frame)), self._result)
            rows = arrow_step.identity(frame.schema)
        answered = batch_plan.answer(rows, self._result, self._prior, self._decision_facts)
        output = batch_plan.output(frame, answered, self._result).persist()
        cached.callback(output.unpersist)
        return self._outcome(output, tasks=self._records.task_count)

    def _has_doubtful(self) -> bool:
        return task_facts.total(self._lateness_facts, "quarantined") > 0

    def _outcome(self, output: DataFrame | pa.Table, tasks: int) -> Outcome | None:
        """None if the output is not to be believed."""
        written = count_records(output, self._result.count_column)
        is_complete = task_facts.is_complete(self._lateness_facts, tasks)
        answered = task_facts.total(self._decision_facts, "records")
        facts, decided = task_facts.drain(self._lateness_facts), task_facts.drain(self._decision_facts)
        names = ("records", "quarantined", "dropped")
        read, doubtful, dropped = (sum(fact[name] for fact in facts.values()) for name in names)
        if doubtful or not task_facts.partitions_read_whole(facts) or not task_facts.partitions_read_whole(decided):
            return None
        keeps_all = self._selected is not None
        if (
            not is_complete
            or (keeps_all and read - dropped != written)
            or (self._result.decision and answered != written)
        ):
            return None
        return Outcome(list(facts.values()), output, batch_plan.changed_state(self._result, decided), None, False)


def _check_size(blocks: Batches, most_bytes: int) -> Batches:
    """The blocks. Raises _TooLarge once they take more."""
    taken = 0
    for block in blocks:
        taken += block.nbytes
        if taken > most_bytes:
            raise _TooLarge
        yield block
