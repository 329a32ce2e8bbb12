"""The producer of the archive: records in, offsets given out in one atomic commit.

The commit carries the number of partitions and the end of every partition it touches as marks: they stay when data
files are deleted, so no offset is given out twice, and two commits to one topic at once conflict, so that the later one
takes new offsets.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from jobs.log.archive import marks, transaction
from jobs.log.archive.file_writer import SCHEMA, NewFile, PartitionFiles
from jobs.log.archive.snapshot import Snapshot
from jobs.log.partitioner import partitions_of
from jobs.log.topic import check_name, partition_count
from jobs.running.errors import Refused

INPUT = ("key", "value", "timestamp", "headers")


@dataclass
class Appended:
    """What an append wrote: the number of records, and by partition their offsets [start, end)."""

    records: int
    ranges: dict[int, tuple[int, int]]


def append(
    path: str,
    topic: str,
    partitions: int | None,
    records: Iterable[pa.RecordBatch],
    records_per_commit: int | None = None,
    once: tuple[str, int] | None = None,
) -> Appended:
    """Append `records` (key, value, timestamp, optionally headers) to the topic, in their order in each partition.

    The key chooses the partition as in Kafka; records without a key go round the partitions. `partitions` counts for
    the first records of a topic and is fixed from then on; None takes what is there, else 4. All is one commit, or one
    commit after each `records_per_commit` records. With `once`, a mark and a number, the commit sets this mark, and
    nothing is appended if the mark is at this number already, or beyond. Whatever is raised while `records` are read,
    nothing of the open commit is written. Raises Refused for a wrong name or number, OSError and deltalake's DeltaError
    from the store.
    """
    check_name(topic)
    log = Snapshot(path, topic).refresh()
    if log.is_kafka_copy():
        raise Refused(
            f"topic {topic} in {path} is a copy of Kafka's, kept by jobs/kafka_archive.py: produce into Kafka."
        )
    count = partition_count(topic, f"in {path}", partitions, log.partitions)
    done = Appended(0, {})
    keyless = 0
    stage: dict[int, PartitionFiles] = {}
    staged = 0
    try:
        for batch in records:
            if not stage:
                stage = _stage(path, topic, count)
            batch = _normalize(batch)
            _add(stage, batch, count, keyless)
            keyless += batch["key"].null_count
            staged += batch.num_rows
            if records_per_commit is not None and staged >= records_per_commit:
                _close(stage)
                full, stage = stage, {}
                _commit(path, topic, count, full, done, once)
                staged = 0
        _close(stage)
    except BaseException:
        for files in stage.values():
            files.discard()
        raise
    if staged:
        _commit(path, topic, count, stage, done, once)
    return done


def append_to_partitions(
    path: str, topic: str, partitions: int, records: Iterable[tuple[int, pa.RecordBatch]]
) -> Appended:
    """Append batches of records, each to the partition that stands beside it, in one commit. The topic exists then,
    with this number of partitions, even if there were no records. Otherwise as `append`.
    """
    check_name(topic)
    done = Appended(0, {})
    stage = _stage(path, topic, partitions)
    try:
        for partition, batch in records:
            stage[partition].add(_normalize(batch))
        _close(stage)
    except BaseException:
        for files in stage.values():
            files.discard()
        raise
    _commit(path, topic, partitions, stage, done)
    return done


def _normalize(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch in the columns and types of the archive; headers are null if it has none."""
    columns = [
        batch[name].cast(SCHEMA.field(name).type)
        if name in batch.schema.names
        else pa.nulls(batch.num_rows, SCHEMA.field(name).type)
        for name in INPUT
    ]
    if columns[INPUT.index("timestamp")].null_count:
        raise Refused("a record has no timestamp.")
    return pa.RecordBatch.from_arrays(columns, names=list(INPUT))


def _add(stage: dict[int, PartitionFiles], batch: pa.RecordBatch, count: int, keyless: int) -> None:
    chosen = partitions_of(batch["key"], count, keyless)
    for partition in np.unique(chosen).tolist():
        stage[partition].add(batch.take(pa.array(np.flatnonzero(chosen == partition))))


def _stage(path: str, topic: str, count: int) -> dict[int, PartitionFiles]:
    """Files to write for each partition, with the offsets that are the next ones now."""
    ends = Snapshot(path, topic).refresh().ends
    return {partition: PartitionFiles(path, topic, partition, ends.get(partition, 0)) for partition in range(count)}


def _close(stage: dict[int, PartitionFiles]) -> None:
    for files in stage.values():
        files.close()


def _commit(
    path: str,
    topic: str,
    count: int,
    stage: dict[int, PartitionFiles],
    done: Appended,
    once: tuple[str, int] | None = None,
) -> None:
    """Make the files part of the table; where another append took their offsets, give them new ones first."""
    filled = {partition: files for partition, files in stage.items() if files.written}

    def new_files() -> list[NewFile]:
        return [file for files in filled.values() for file in files.written]

    def write(log: Snapshot) -> None:
        partition_count(topic, f"in {path}", count, log.partitions)
        if once and (log.mark(once[0]) or 0) >= once[1]:
            for files in filled.values():
                files.discard()
            return
        for partition, files in filled.items():
            if files.written[0].start != log.ends.get(partition, 0):
                files.rebase(log.ends.get(partition, 0))
        _write(log.table, topic, count, new_files(), once)

    transaction.retry_on_conflict(path, topic, new_files, write)
    for partition, files in filled.items():
        if not files.written:  # somebody has appended them already
            continue
        start, end = files.written[0].start, files.written[-1].end
        done.records += end - start
        done.ranges[partition] = (done.ranges.get(partition, (start, end))[0], end)


def _write(table: DeltaTable, topic: str, count: int, written: list[NewFile], once: tuple[str, int] | None) -> None:
    """One Delta commit. Raises CommitFailedError if somebody else has committed to the topic since `table` was read."""
    spans: dict[int, list[int]] = {}
    for file in written:  # in the metadata of the commit the end of a span is its last offset
        spans.setdefault(file.partition, [file.start, file.end - 1])[1] = file.end - 1
    new_marks = dict([once] if once else ()) | {marks.partitions(topic): count}
    new_marks |= {marks.end(topic, partition): last + 1 for partition, (_, last) in spans.items()}
    metadata = {"offsets": {str(partition): span for partition, span in spans.items()}}
    transaction.commit_files(table, topic, written, new_marks, metadata)
