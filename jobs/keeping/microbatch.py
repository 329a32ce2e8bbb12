"""Keeps a result up to date: one microbatch after another, from the log into its tables."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from deltalake.exceptions import DeltaError

from jobs.answers.result import Result
from jobs.keeping import beginning, first_records, ledger, locks, log_position, recovery, table_check
from jobs.keeping.batch_writer import Keeper
from jobs.keeping.ledger import Row
from jobs.log import home
from jobs.run import Run
from jobs.running import mistakes, shared_folder
from jobs.running.errors import Refused


def keep(run: Run, result: Result) -> Row:
    """Bring `result` up to date with the log, or keep it up to date if the run is continuous; returns the last row.

    Raises Refused when the log or the tables are not as they must be; see recovery.resume and position.check. A first
    run that is refused before it has written anything leaves nothing behind.
    """
    with mistakes.located(result.transform), locks.only_run(run.spark, run.places.checkpoints, result.name):
        shared_folder.check(run.spark, "tables", run.places.tables)
        begun = datetime.now(UTC)
        try:
            return _kept(run, result)
        except Refused:
            with suppress(OSError, DeltaError):  # what was refused is to be told whatever else goes wrong
                beginning.forget(run.places, result.name, begun)
            raise


def _kept(run: Run, result: Result) -> Row:
    start = _start(run, result)
    newest = ledger.last(run.places, result.name, "batch")
    keeper = Keeper(run, result, start.last, start.checkpoint, expects_doubtful=bool(newest and newest.quarantined))
    if newest is None:
        keeper.first_look = lambda row: first_records.check(
            run.places, result.topic, row.start_offsets, row.end_offsets
        )
    try:
        while not _stream(run, result, start.last, keeper):
            pass
        keeper.publish_rest()
    except Exception as error:
        table_check.blame(run.spark, run.places, result, keeper.last)
        raise error from None
    return keeper.last


def _stream(run: Run, result: Result, last: Row, keeper: "Keeper") -> bool:
    """Run the query to its end; False if it is to start again with another size of batches."""
    records = home.read(
        run.spark,
        run.places,
        result.topic.TOPIC,
        starting_offsets=_kafka_json(result.topic.TOPIC, last.end_offsets),
        max_records_per_batch=keeper.size.limit if run.continuous else result.max_records_per_batch,
        group=result.name,
    )
    trigger: dict[str, Any] = {"processingTime": run.continuous} if run.continuous else {"availableNow": True}
    keeper.ended = False
    keeper.query = query = (
        records.writeStream.foreachBatch(keeper.batch)
        .option("checkpointLocation", keeper.checkpoint)
        .queryName(result.name)
        .trigger(**trigger)
        .start()
    )
    try:
        run.watch(query, keeper.publish_while_idle)
    except BaseException as error:
        if not keeper.is_resized():
            raise keeper.failure or error from None
        return False
    finally:
        if run.continuous:
            keeper.end()  # a batch at work may come to its end: broken off, it would be left to the next run
        query.stop()
    if keeper.failure and not keeper.is_resized():
        run.say(f"{result.name}: the batch at work was broken off, the next run does it again")
    return True


def _start(run: Run, result: Result) -> recovery.Start:
    """Where the run goes on, in the log and in the tables."""
    before = ledger.last(run.places, result.name)
    topic = log_position.check(run, result, before) if before else home.topic(run.places, result.topic.TOPIC)
    if before:
        log_position.begin(run, result, before)  # before the checkpoint is asked, which may have begun elsewhere
    start = recovery.resume(run.spark, run.places, result, topic=topic, step=run.step)
    for note in start.notes:
        run.say(f"{result.name}: {note}")
    return start if before else replace(start, last=log_position.begin(run, result, start.last))


def _kafka_json(topic: str, offsets: dict[int, int]) -> str:
    """Where to start, as Kafka's source writes it; a topic not read yet starts at its earliest record."""
    return json.dumps({topic: {str(p): offset for p, offset in offsets.items()}}) if offsets else "earliest"
