"""The batches of one result: what each writes, and in which order.

The steps of a batch: quarantine, stragglers, panes or rows, state of the decision, windows if they are due, ledger.
Each is one Delta commit that says which step it is, so a batch that is tried again does only what is missing.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame

from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.events import stragglers
from jobs.events.lateness_rule import LatenessRule
from jobs.keeping import batch_row, complete_time, deliveries, late_records, log_position
from jobs.keeping.batch_size import BatchSize
from jobs.keeping.ledger import Position, Row
from jobs.keeping.ledger_writer import LedgerWriter
from jobs.keeping.outcome import Outcome, check_places, reasons_of_bad
from jobs.keeping.publish_schedule import PublishSchedule
from jobs.keeping.state_table import StateTable
from jobs.keeping.steps import Kind, Step, announce
from jobs.keeping.topic_reader import TopicReader
from jobs.lake import delta_tables
from jobs.log.offsets import Offsets
from jobs.run import Run
from jobs.running import durations
from jobs.running.instants import to_micros


class BatchAborted(Exception):
    """Raised into Spark to end its query. It stands for the error, which BatchWriter keeps in `failure`: Spark would
    wrap that in pages of Java, and Spark's own search of a long message fails.
    """


@dataclass
class BatchWriter:
    """Writes the batches of one result."""

    run: Run
    result: Result
    checkpoint: str
    """Folder of the query's checkpoint, which knows where each batch ends."""
    ledger: LedgerWriter
    schedule: PublishSchedule
    check_first: Callable[[Row], None] | None = None
    """Called with the row of the result's first batch before anything is written; it may refuse."""
    failure: Exception | None = None
    """Why a batch failed; None if none did."""
    needs_resize: bool = False
    """Whether the last batch ended the query because the next ones get another size. That batch is closed."""
    stopping: bool = False
    """Whether no more batches may begin."""
    size: BatchSize = field(init=False)
    readers: list[TopicReader] = field(init=False)
    """One for each topic."""
    state: StateTable | None = field(init=False)
    """Of the decision; None if the result has none."""

    def __post_init__(self) -> None:
        self.readers = [TopicReader(self.run, reading, place) for place, reading in enumerate(self.result.readings)]
        self.state = StateTable(self.run.places, self.result) if self.result.decision else None
        floor, ceiling = self.result.min_records_per_batch, self.result.max_records_per_batch
        self.size = BatchSize(durations.seconds(self.result.batch_target), min(floor, ceiling), ceiling)

    def close(self) -> None:
        """Let go of what is kept for the next batch."""
        for reader in self.readers:
            reader.close()

    def write(self, _records: DataFrame, batch_id: int) -> None:
        """One microbatch, from its records to its ledger row. A batch that the ledger has already is left alone. Of
        Spark's frame nothing is read: its query says which offsets the batch has.

        Raises BatchAborted if it failed, if batches are to get another size, or if no more may begin.
        """
        with self.schedule.write_lock:
            if batch_id <= self.ledger.last.batch_id:
                return
            if self.stopping or self.run.stop.is_asked:
                raise BatchAborted("the run has been stopped")
            try:
                self._write(batch_id)
            except Exception as error:
                self.failure, self.schedule.batch_failed = error, True
                raise BatchAborted(f"a batch failed: {type(error).__name__}") from None
            if self.needs_resize:
                raise BatchAborted("batches get another size")

    def accept_batches(self) -> None:
        """Of a query that begins: stop_after_batch and needs_resize were about the one before."""
        self.stopping = self.needs_resize = False

    def stop_after_batch(self) -> None:
        """Wait for the batch that is at work; no other begins."""
        with self.schedule.write_lock:
            self.stopping = True

    def _write(self, batch_id: int) -> None:
        begun = time.monotonic()
        # First: what is read now must not be taken for less than all.
        log_ends = [reader.log_ends() if self.result.late.idle_after else None for reader in self.readers]
        row = self._row(batch_id)
        if self.check_first:
            self.check_first(row)
        with ExitStack() as cached:
            found = self._evaluate(row, batch_id, cached)
            for reader, position in zip(self.readers, self._positions(self.ledger.last), strict=True):
                reader.check_topic_id(position)  # before anything is written
            if self.result.has_decided_rows and self.result.deliver:
                check_places(self.result.topic.TOPIC, *(one.output for one in found.values()))
            row = batch_row.add_facts(row, {topic: one.facts for topic, one in found.items()})
            row = complete_time.with_complete_time(row, self._clocks(row, log_ends), self.result.lateness_rule)
            if row.records and row.quarantined == row.records:
                row = replace(row, notes=(*row.notes, reasons_of_bad(found.values())))
            row = deliveries.begin_decided(self.result, self._write_tables(found, row), self.ledger.last)
        seconds = time.monotonic() - begun
        is_due = bool(self.run.continuous) and self.schedule.is_due()  # a scheduled run publishes at its end
        # Rankings and feeds must say what the ledger has.
        is_apart = not self.result.windows or self.result.uses_window_changes
        if is_due and self.result.windows and not is_apart:
            row = self.schedule.publish_now(self.run.spark, row)
        self.ledger.close(row)
        if is_due and is_apart:
            self.schedule.publish_rest()
        self.check_first = None
        self.needs_resize = bool(self.run.continuous) and self.size.adjust(row.records, seconds)

    def _positions(self, row: Row) -> list[Position]:
        """How far each topic was read."""
        return list(row.positions(self.result.topics).values())

    def _clocks(self, row: Row, log_ends: list[Offsets | None]) -> list[complete_time.Clock]:
        pairs = zip(self._positions(row), log_ends, strict=True)
        return [complete_time.Clock(batch_row.stream_micros(read), read.end_offsets, ends) for read, ends in pairs]

    def _row(self, batch_id: int) -> Row:
        """The batch's ledger row before anything is known but which records it reads."""
        row = self.ledger.last.next(Kind.BATCH, batch_id=batch_id)
        positions = row.positions(self.result.topics)
        notes: tuple[str, ...] = ()
        for reader in self.readers:
            read = positions[reader.topic]
            ends = read.end_offsets | reader.planned_ends(self.checkpoint, batch_id)
            positions[reader.topic] = read = replace(read, end_offsets=ends)
            log_position.check_partitions(self.result, reader.topic, read)
            notes += log_position.new_partitions_note(reader.topic, read)
        for note in notes:
            self.run.say(f"{self.result.name}: {note}")
        return replace(row.with_positions(positions), notes=notes)

    def _rules(self) -> dict[str, LatenessRule]:
        """By topic, when a record of the next batch is late: it follows from the last ledger row, so a retry finds the
        same.
        """
        expired = self.ledger.last.expired_stream_time
        micros = to_micros(expired) if expired else None
        rules = {reading.topic.TOPIC: reading.lateness_rule for reading in self.result.readings}
        return {topic: replace(rule, expired_micros=micros) for topic, rule in rules.items()}

    def _evaluate(self, row: Row, batch_id: int, cached: ExitStack) -> dict[str, Outcome]:
        """By topic, what its records come to."""
        last = self.ledger.last
        state = self.state.read(last) if self.state else None
        before = last.positions(self.result.topics)
        found, rules = {}, self._rules()
        for reader in self.readers:
            read, had = row.positions(self.result.topics)[reader.topic], before[reader.topic]
            starts = reader.starts(self.checkpoint, batch_id, had.end_offsets, read.end_offsets)
            prior = Prior(batch_row.stream_micros(had), state, rules[reader.topic])
            found[reader.topic] = reader.evaluate(read, starts, prior, cached)
        return found

    def _write_tables(self, found: dict[str, Outcome], row: Row) -> Row:
        """Quarantine, stragglers, panes or rows or events, state; returns the row with what it says of the state."""
        result = self.result
        bad = [outcome.bad for outcome in found.values() if outcome.bad is not None]
        if bad:
            union = reduce(DataFrame.unionByName, bad)
            self._append(union, result.table("quarantine"), row, Step.QUARANTINE, requeued_sequence=None)
        rules = self._rules()
        late = {topic: stragglers.table(topic, one.facts, rules[topic]) for topic, one in found.items()}
        if row.late:
            self._append(pa.concat_tables(late.values()), result.table("stragglers"), row, Step.STRAGGLERS)
        if result.keeps_events:
            for topic, outcome in found.items():
                events = late_records.mark(outcome.output, late[topic])
                written = self._append(events, result.events_table(topic), row, Step.EVENTS)
                self.schedule.record_events(topic, written)
            return row
        [only] = found.values()
        if result.panes:
            written = self._append(only.output, result.table("panes"), row, Step.PANES)
            self.schedule.record_panes(written)
        elif result.sessions:
            self._append(only.output, result.table("spells"), row, Step.SPELLS)
        else:
            self._append(only.output, result.name, row, Step.ROWS)
        if not self.state or not only.changed_state:
            return row
        assert result.decision
        step = Step(result.decision.kind)
        with announce(self.run.step, step):
            self.state.write(only.changed_state, self.ledger.commit(row, step))
        return replace(row, **result.decision.ledger_numbers(only.changed_state))

    def _append(
        self, rows: DataFrame | pa.Table, name: str, row: Row, step: Step, **numbers: int | None
    ) -> pa.Table | None:
        """What was appended, if it went through this process."""
        with announce(self.run.step, step):
            path, commit = self.run.places.table(name), self.ledger.commit(row, step)
            return delta_tables.append(rows, path, commit, {"sequence": row.sequence} | numbers)
