"""The producer of the archive: records in, offsets given out in one atomic commit.

The commit carries the number of partitions and the end of every partition it touches as transaction marks
(`partitions:TOPIC`, `end:TOPIC:PARTITION`): they stay when data files are deleted, so no offset is given out twice,
and two commits to one topic at once conflict, so that the later one takes new offsets.
"""

import contextlib
import fcntl
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from jobs.log.archive import topic as topics
from jobs.log.archive.file_writer import SCHEMA, PartitionFiles, Written
from jobs.log.partitioner import partitions_of
from jobs.running.errors import Refused
from schemas.archive import PARTITIONED_BY

CHECKPOINT_COMMITS = 10
"""A Delta checkpoint is made after so many commits, as Spark's Delta does."""
ATTEMPTS = 50
"""How often a commit is tried again after another producer was faster."""
INPUT = ("key", "value", "timestamp", "headers")


@dataclass
class Appended:
    """What an append wrote: the number of records, and {partition: (first offset, offset after the last)}."""

    records: int
    ranges: dict[int, tuple[int, int]]


def append(
    path: str,
    topic: str,
    partitions: int | None,
    records: Iterable[pa.RecordBatch],
    records_per_commit: int | None = None,
) -> Appended:
    """Append `records` (key, value, timestamp, optionally headers) to the topic, in their order in each partition.

    The key chooses the partition as in Kafka; records without a key go round the partitions. `partitions` counts for
    the first records of a topic and is fixed from then on; None takes what is there, else 4. All is one commit, or one
    commit after each `records_per_commit` records. Whatever is raised while `records` are read, nothing of the open
    commit is written. Raises Refused for a wrong name or number, OSError and deltalake's DeltaError from the store.
    """
    topics.check_topic(topic)
    known = topics.known(topics.opened(path), topic)
    if known.kept:
        raise Refused(
            f"topic {topic} in {path} is a copy of Kafka's, kept by jobs/kafka_archive.py: produce into Kafka."
        )
    count = topics.partitions(path, topic, partitions, known.partitions)
    done = Appended(0, {})
    keyless = 0
    stage: dict[int, PartitionFiles] = {}
    staged = 0
    try:
        for batch in records:
            if not stage:
                stage = _stage(path, topic, count)
            batch = _input(batch)
            _spread(stage, batch, count, keyless)
            keyless += batch["key"].null_count
            staged += batch.num_rows
            if records_per_commit is not None and staged >= records_per_commit:
                _close(stage)
                full, stage = stage, {}
                _commit(path, topic, count, full, done)
                staged = 0
        _close(stage)
    except BaseException:
        for files in stage.values():
            files.discard()
        raise
    if staged:
        _commit(path, topic, count, stage, done)
    return done


def _input(batch: pa.RecordBatch) -> pa.RecordBatch:
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


def _spread(stage: dict[int, PartitionFiles], batch: pa.RecordBatch, count: int, keyless: int) -> None:
    chosen = partitions_of(batch["key"], count, keyless)
    for partition in np.unique(chosen).tolist():
        stage[partition].add(batch.take(pa.array(np.flatnonzero(chosen == partition))))


def _stage(path: str, topic: str, count: int) -> dict[int, PartitionFiles]:
    """Files for each partition, with the offsets that are the next ones now."""
    ends = topics.known(topics.opened(path), topic).ends
    return {partition: PartitionFiles(path, topic, partition, ends.get(partition, 0)) for partition in range(count)}


def _close(stage: dict[int, PartitionFiles]) -> None:
    for files in stage.values():
        files.close()


def _commit(path: str, topic: str, count: int, stage: dict[int, PartitionFiles], done: Appended) -> None:
    """Make the files part of the table; where another append took their offsets, give them new ones first."""
    parts = {partition: files for partition, files in stage.items() if files.written}
    with queue(path):
        for attempt in range(ATTEMPTS):
            table = topics.opened(path) or topics.created(path)
            known = topics.known(table, topic)
            if attempt and known.paths & {file.path for files in parts.values() for file in files.written}:
                break  # the commit that seemed to fail had come through
            topics.partitions(path, topic, count, known.partitions)
            for partition, files in parts.items():
                if files.written[0].first != known.ends.get(partition, 0):
                    files.rebase(known.ends.get(partition, 0))
            try:
                _write(table, topic, count, [file for files in parts.values() for file in files.written])
                break
            except CommitFailedError:
                time.sleep(0.02 * attempt)
        else:
            raise Refused(
                f"topic {topic}: other producers were faster {ATTEMPTS} times; nothing was written, try again."
            )
        checkpoint(table)
    for partition, files in parts.items():
        first, end = files.written[0].first, files.written[-1].end
        done.records += end - first
        done.ranges[partition] = (done.ranges.get(partition, (first, end))[0], end)


def _write(table: DeltaTable, topic: str, count: int, written: list[Written]) -> None:
    """One Delta commit. Raises CommitFailedError if somebody else has committed to the topic since `table` was read."""
    spans: dict[int, list[int]] = {}
    for file in written:
        spans.setdefault(file.partition, [file.first, file.end - 1])[1] = file.end - 1
    marks = {f"partitions:{topic}": count}
    marks |= {f"end:{topic}:{partition}": last + 1 for partition, (_, last) in spans.items()}
    write(table, topic, written, marks, {"offsets": {str(partition): span for partition, span in spans.items()}})


def write(table: DeltaTable, topic: str, written: list[Written], marks: dict[str, int], said: dict[str, Any]) -> None:
    """One Delta commit of files and marks. Raises CommitFailedError if one of the marks has moved since."""
    now = int(time.time() * 1000)
    adds: list[AddAction | RemoveAction] = [
        AddAction(file.path, file.bytes, _folders(topic, file), now, True, file.statistics()) for file in written
    ]
    told = {"userMetadata": json.dumps({"topic": topic} | said)}
    moved = [Transaction(name, value) for name, value in marks.items()]
    table.create_write_transaction(
        adds,
        "append",
        table.schema(),
        list(PARTITIONED_BY),
        commit_properties=CommitProperties(custom_metadata=told, app_transactions=moved),
        # Made below instead: a checkpoint that fails must not look like a commit that failed.
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )


def _folders(topic: str, file: Written) -> dict[str, str | None]:
    return {"topic": topic, "partition": str(file.partition)}


def checkpoint(table: DeltaTable) -> None:
    """Make a Delta checkpoint if one is due."""
    with contextlib.suppress(DeltaError, OSError):
        table.update_incremental()
        if table.version() % CHECKPOINT_COMMITS == 0:
            table.create_checkpoint()


@contextlib.contextmanager
def queue(path: str) -> Iterator[None]:
    """Producers on one machine commit one after the other; elsewhere the conflict of their marks decides."""
    if "://" in path:
        yield
        return
    Path(path).mkdir(parents=True, exist_ok=True)
    with (Path(path) / "_producers.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
