"""Keeps the archive of topics in Kafka, each record once.

Where to go on is what the archive itself says, in the commit that added the records: there is no checkpoint. Spark's
tasks read a range of offsets each and write files; one commit adds them all, or a killed run leaves files that no
reader sees.
"""

import time
from collections.abc import Iterator
from functools import partial

import pyarrow as pa

from jobs.log import home
from jobs.log.archive import kafka_copy
from jobs.log.archive import topic as archive_topic
from jobs.log.archive.file_writer import FILE_RECORDS, PartitionFiles, Written
from jobs.log.archive.kafka_copy import Kept, Portion
from jobs.log.kafka.topics import Topic
from jobs.run import Run
from jobs.running import durations, shared_folder
from jobs.running.errors import Refused

FILES = "path string, partition long, first long, last long, records long, first_us long, last_us long, bytes long"


def keep(run: Run) -> None:
    """Copy what is new in the topics of the run, and again after each interval if it is continuous.

    Raises Refused when a topic is not there, is another one than was copied, or has lost records that were not read.
    """
    if run.places.log != "kafka":
        raise Refused('the archive is kept from Kafka: the places file must say log = "kafka".')
    shared_folder.check_executors_see(run.spark, "archive", run.places.archive)
    while True:
        try:
            for topic in run.topics:
                keep_topic(run, topic)
            if run.continuous is None:
                return
            time.sleep(durations.seconds(run.continuous))
        except KeyboardInterrupt:
            if run.continuous is None:
                raise
            run.say("stopping")
            return


def keep_topic(run: Run, topic: str) -> int:
    """Copy what is new in one topic; returns the number of records. Raises Refused."""
    archive_topic.check_topic(topic)
    now = home.topic(run.places, topic)
    kept = kafka_copy.find(run.places.archive, topic, now.id)
    _check(run, topic, now, kept)
    copied, starts, marks = 0, *_start(run, topic, now, kept)
    while starts != now.ends or marks:
        ends = {part: min(end, starts[part] + FILE_RECORDS) for part, end in now.ends.items()}
        portion = Portion(starts, ends)
        run.step("before copy")
        portion.files = _copy(run, topic, kept, portion)
        run.step("after copy")
        if home.topic(run.places, topic).id != now.id:
            raise Refused(f"topic {topic} was deleted and made again while it was copied. Run again.")
        kafka_copy.add(run.places.archive, topic, now.id, kept, portion, marks)
        run.step("after commit")
        if portion.records:
            run.closed(topic, portion, sum(end - ends[part] for part, end in now.ends.items()))
        copied += portion.records
        kept, starts, marks = kafka_copy.find(run.places.archive, topic, now.id), ends, {}
    run.say(f"{topic}: {copied:,} records copied, up to {sum(now.ends.values()):,} in {len(now.ends)} partitions")
    return copied


def _check(run: Run, topic: str, now: Topic, kept: Kept) -> None:
    """Raises Refused if the archive's records are not those of the topic."""
    if kept.other:
        raise Refused(
            f"{run.places.archive} has records of another topic {topic}: it was deleted and made again in Kafka, or "
            "the records were produced into the archive. Name another archive in the places file."
        )
    for part, end in kept.ends.items():
        if end > now.ends.get(part, 0):
            raise Refused(
                f"partition {part} of topic {topic} ends at offset {now.ends.get(part, 0)} in Kafka, and the archive "
                f"has it up to {end}: the broker has lost its end, or was set back. `headrace audit {topic}` says more."
            )


def _start(run: Run, topic: str, now: Topic, kept: Kept) -> tuple[dict[int, int], dict[str, int]]:
    """By partition, where to go on; and the marks to set: where the copy begins, or what was lost and accepted.

    Raises Refused if records were deleted before they were copied.
    """
    starts = {part: max(kept.ends.get(part, 0), first) for part, first in now.firsts.items()}
    if not kept.ends:
        return starts, {f"first:{topic}:{part}": first for part, first in starts.items() if first}
    gone = {part: kept.ends.get(part, 0) for part, start in starts.items() if start > kept.ends.get(part, 0)}
    said = "; ".join(f"partition {part}, offsets {first} to {starts[part] - 1}" for part, first in gone.items())
    if gone and not run.accept_loss:
        raise Refused(
            f"topic {topic} no longer has records that the archive has not ({said}): retention was faster. "
            "Run once with --accept-loss: it goes on behind them and marks the gap."
        )
    if gone:
        run.say(f"{topic}: lost, and accepted: {said}")
    return starts, {f"lost:{topic}:{part}:{first}": starts[part] for part, first in gone.items()}


def _copy(run: Run, topic: str, kept: Kept, portion: Portion) -> list[Written]:
    """Write the files of a portion, in Spark's tasks."""
    if portion.starts == portion.ends:
        return []
    records = home.read_range(run.spark, run.places, topic, portion.starts, portion.ends)
    covers = {part: (kept.covered.get(part, start), portion.ends[part]) for part, start in portion.starts.items()}
    write = partial(_written, run.places.archive, topic, covers)
    return [Written(**row) for row in records.mapInArrow(write, FILES).toArrow().to_pylist()]


def _written(
    path: str, topic: str, covers: dict[int, tuple[int, int]], batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """In a task: the records of a partition into files; yields what was written. Discards the files on an error."""
    parts: dict[int, PartitionFiles] = {}
    try:
        for batch in batches:
            for part in batch["partition"].unique().to_pylist():
                if part not in parts:
                    parts[part] = PartitionFiles(path, topic, part, 0, covers[part][0])
                parts[part].add(_of(batch, part))
        for part, files in parts.items():
            files.close(covers[part][1])
    except BaseException:
        for files in parts.values():
            files.discard()
        raise
    rows = [vars(file) for files in parts.values() for file in files.written]
    if rows:
        yield pa.RecordBatch.from_pylist(rows)


def _of(batch: pa.RecordBatch, part: int) -> pa.RecordBatch:
    """The records of one partition; a task of Spark's Kafka source reads no other."""
    chosen = batch.filter(pa.compute.equal(batch["partition"], part))
    return chosen.select([name for name in chosen.schema.names if name not in ("topic", "partition")])
