"""Keeps a result up to date: one microbatch after another, from the log into its tables."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from enum import Enum, auto
from functools import partial
from typing import Any

from deltalake.exceptions import DeltaError

from jobs.answers.result import Result
from jobs.keeping import beginning, first_records, last_run, ledger, locks, table_check
from jobs.keeping.batch_writer import BatchWriter
from jobs.keeping.ledger import Row
from jobs.keeping.ledger_writer import LedgerWriter
from jobs.keeping.publish_schedule import PublishSchedule
from jobs.keeping.start import start
from jobs.keeping.steps import Kind
from jobs.log import home, schema_registry
from jobs.publishing import window_column
from jobs.run import Run
from jobs.running import jvm, mistakes, shared_folder
from jobs.running.errors import Refused


class QueryEnd(Enum):
    """How a query ended that did not fail."""

    DONE = auto()
    """The log is read to its end, or the run was stopped between two batches."""
    RESIZED = auto()
    """Batches are to get another size: a new query goes on."""
    BROKEN_OFF = auto()
    """A notebook was interrupted, and with it the batch at work: the next run does it again."""


def keep(run: Run, result: Result) -> Row:
    """Bring `result` up to date with the log, or keep it up to date if the run is continuous; returns the last row.

    Raises Refused when the log or the tables are not as they must be; see start. A first run that is refused before it
    has written anything leaves nothing behind.
    """
    with (
        locks.exclusive_run(run.spark, run.places.checkpoints, result.name),
        last_run.record(run, result.name) as record_begin,
        mistakes.note_location(result.transform),
    ):
        shared_folder.check_executors_see(run.spark, "tables", run.places.tables)
        schema_registry.connect(run.places, [reads.topic for reads in result.all_reads])
        begun, result = datetime.now(UTC), window_column.as_stored(run.places, result)
        try:
            return _write_batches(run, result, record_begin)
        except Refused:
            with suppress(OSError, DeltaError):  # the refusal is what the person must see, whatever else goes wrong
                beginning.forget(run.places, result.name, begun)
            raise


def _write_batches(run: Run, result: Result, record_begin: Callable[[], None]) -> Row:
    begun = start(run, result)
    record_begin()  # of a first run there is a ledger only now
    newest = ledger.last(run.places, result.name, Kind.BATCH)
    ledger_writer = LedgerWriter(run, result, begun.last)
    schedule = PublishSchedule(run, result, ledger_writer)
    writer = BatchWriter(run, result, begun.checkpoint, ledger_writer, schedule)
    for reader in writer.readers:
        reader.expects_doubtful = bool(newest and newest.quarantined)
    if newest is None:
        writer.check_first = partial(_check_first, run, result)
    try:
        while (end := _run_query(writer, begun.last)) is QueryEnd.RESIZED:
            pass
        if end is QueryEnd.BROKEN_OFF:
            run.say(f"{result.name}: the batch at work was broken off, the next run does it again")
        else:
            if result.is_published and not run.continuous:
                jvm.end_idle_workers(run.spark)  # publishing takes the most memory of a run, in this process
            schedule.publish_rest(ends_run=True)
    except Exception as error:
        table_check.raise_if_tables_changed(run.spark, run.places, result, ledger_writer.last)
        raise error from None
    finally:
        writer.close()
        # Java's query holds the writer, whose batches it calls. If the writer held the query, neither would ever go.
        ledger_writer.query = None
    return ledger_writer.last


def _check_first(run: Run, result: Result, row: Row) -> None:
    """Raises Refused if the first records show that a schema file says the unit of its event time wrongly."""
    positions = row.positions(result.topics)
    for reading in result.readings:
        read = positions[reading.topic.TOPIC]
        first_records.check(run.places, reading.topic, read.start_offsets, read.end_offsets)


def _run_query(writer: BatchWriter, first: Row) -> QueryEnd:
    """Run the query to its end; `first` is the ledger row at which the run began. Raises what the query failed with."""
    run, result = writer.run, writer.result
    limit = writer.size.limit if run.continuous else result.max_records_per_batch
    positions = {topic: read.end_offsets for topic, read in first.positions(result.topics).items()}
    records = home.read_together(run.spark, run.places, positions, limit, result.name)
    trigger: dict[str, Any] = {"processingTime": run.continuous} if run.continuous else {"availableNow": True}
    writer.accept_batches()
    writer.ledger.query = query = (
        records.writeStream.foreachBatch(writer.write)
        .option("checkpointLocation", writer.checkpoint)
        .queryName(result.name)
        .trigger(**trigger)
        .start()
    )
    try:
        run.watch(query, writer.schedule.publish_while_idle)
    except BaseException as error:
        if writer.needs_resize:
            return QueryEnd.RESIZED
        if run.stop.is_asked and writer.failure is None and run.stop.obey():
            return QueryEnd.DONE  # the next batch was not let in
        raise writer.failure or error from None
    finally:
        if run.continuous or run.stop.is_asked:
            writer.stop_after_batch()  # broken off, the batch at work would have to be done again by the next run
        query.stop()
    if writer.failure and run.stop.is_asked:
        raise writer.failure
    return QueryEnd.BROKEN_OFF if writer.failure else QueryEnd.DONE
