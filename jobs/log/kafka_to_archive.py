"""Copies topics of Kafka into the archive, each record once.

There is no checkpoint: the commit that adds records also marks where to go on. Each of Spark's tasks reads a range of
offsets and writes files, and one commit adds them all; a killed run leaves only files that no reader sees.
"""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from jobs.log import home
from jobs.log.archive import kafka_copy, marks
from jobs.log.archive.file_writer import FILE_RECORDS, NewFile, PartitionFiles
from jobs.log.archive.kafka_copy import CopyRange, CopyState
from jobs.log.topic import Topic, check_name
from jobs.run import Run
from jobs.running import durations, shared_folder
from jobs.running.errors import Refused
from schemas.archive import PARTITIONED_BY

FILES = "path string, partition long, start long, end long, records long, first_us long, last_us long, bytes long"


def copy_topics(run: Run) -> None:
    """Copy what is new in the topics of the run; in a continuous run again after each interval.

    Raises Refused when a topic is not there, is another one than was copied, or has lost records that were not read.
    """
    if run.places.log != "kafka":
        raise Refused('topics are copied from Kafka into the archive: the places file must say log = "kafka".')
    shared_folder.check_executors_see(run.spark, "archive", run.places.archive)
    while not run.stop.obey():
        for topic in run.topics:
            if not run.stop.obey():
                copy_topic(run, topic)
        if run.continuous is None:
            return
        run.stop.wait(durations.seconds(run.continuous))


def copy_topic(run: Run, topic: str) -> int:
    """Copy what is new in one topic, or less if the run is to stop; returns the number of records. Raises Refused."""
    check_name(topic)
    now = home.topic(run.places, topic)
    state = kafka_copy.find(run.places.archive, topic, now.id)
    _check(run, topic, now, state)
    total, (starts, new_marks) = 0, _start(run, topic, now, state)
    while (starts != now.ends or new_marks) and not run.stop.obey():
        ends = {partition: min(end, starts[partition] + FILE_RECORDS) for partition, end in now.ends.items()}
        copied = CopyRange(starts, ends)
        run.step("before copy")
        copied.files = _copy(run, topic, state, copied)
        run.step("after copy")
        if home.topic(run.places, topic).id != now.id:
            raise Refused(f"topic {topic} was deleted and made again while it was copied. Run again.")
        kafka_copy.add(run.places.archive, topic, now.id, state, copied, new_marks)
        run.step("after commit")
        if copied.records:
            run.closed(topic, copied, sum(end - ends[partition] for partition, end in now.ends.items()))
        total += copied.records
        state, starts, new_marks = kafka_copy.find(run.places.archive, topic, now.id), ends, {}
    run.say(f"{topic}: {total:,} records copied, up to {sum(now.ends.values()):,} in {len(now.ends)} partitions")
    return total


def _check(run: Run, topic: str, now: Topic, state: CopyState) -> None:
    """Raises Refused if the archive's records are not those of the topic."""
    if state.is_other_topic:
        raise Refused(
            f"{run.places.archive} has records of another topic {topic}: it was deleted and made again in Kafka, or "
            "the records were produced into the archive. Name another archive in the places file."
        )
    for partition, end in state.ends.items():
        if end > now.ends.get(partition, 0):
            raise Refused(
                f"partition {partition} of topic {topic} ends at offset {now.ends.get(partition, 0)} in Kafka, and the "
                f"archive has it up to {end}: the broker has lost its end, or was set back. "
                f"`headrace audit {topic}` says more."
            )


def _start(run: Run, topic: str, now: Topic, state: CopyState) -> tuple[dict[int, int], dict[str, int]]:
    """By partition, where to go on; and the marks to set: where the copy begins, or what was lost and accepted.

    Raises Refused if records were deleted before they were copied.
    """
    ends = {partition: state.ends.get(partition, 0) for partition in now.firsts}
    starts = {partition: max(ends[partition], first) for partition, first in now.firsts.items()}
    if not state.ends:
        return starts, {marks.first(topic, partition): first for partition, first in starts.items() if first}
    lost = {partition: (ends[partition], start) for partition, start in starts.items() if start > ends[partition]}
    ranges = "; ".join(f"partition {p}, offsets {start} to {end - 1}" for p, (start, end) in lost.items())
    if lost and not run.accept_loss:
        raise Refused(
            f"topic {topic} no longer has records that the archive has not ({ranges}): retention was faster. "
            "Run once with --accept-loss: it goes on behind them and marks the gap."
        )
    if lost:
        run.say(f"{topic}: lost, and accepted: {ranges}")
    return starts, {marks.loss(topic, partition, start): end for partition, (start, end) in lost.items()}


def _copy(run: Run, topic: str, state: CopyState, copied: CopyRange) -> list[NewFile]:
    """Write the files of the range, in Spark's tasks."""
    if copied.starts == copied.ends:
        return []
    records = home.read_range(run.spark, run.places, topic, copied.starts, copied.ends)
    covers = {p: (state.covered.get(p, start), copied.ends[p]) for p, start in copied.starts.items()}
    write = partial(_write_files, run.places.archive, topic, covers)
    return [NewFile(**row) for row in records.mapInArrow(write, FILES).toArrow().to_pylist()]


def _write_files(
    path: str, topic: str, covers: dict[int, tuple[int, int]], batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """In a task: write the records of a partition into files; yields a row for each. Discards them on an error."""
    writers: dict[int, PartitionFiles] = {}
    try:
        for batch in batches:
            for partition in batch["partition"].unique().to_pylist():
                if partition not in writers:
                    writers[partition] = PartitionFiles(path, topic, partition, 0, covers[partition][0])
                writers[partition].add(_select(batch, partition))
        for partition, writer in writers.items():
            writer.close(covers[partition][1])
    except BaseException:
        for writer in writers.values():
            writer.discard()
        raise
    rows = [vars(file) for writer in writers.values() for file in writer.written]
    if rows:
        yield pa.RecordBatch.from_pylist(rows)


def _select(batch: pa.RecordBatch, partition: int) -> pa.RecordBatch:
    """The records of one partition, without the columns that are folders."""
    rows = batch.filter(pa.compute.equal(batch["partition"], partition))
    return rows.select([name for name in rows.schema.names if name not in PARTITIONED_BY])
