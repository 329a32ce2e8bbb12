"""Retention of the archive: the oldest records of a topic leave it, from the front of each partition.

As in Kafka offsets stay what they are and the end of a partition never goes back. The commit that takes the records out
marks where each partition begins.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from jobs.log.archive import marks, rewrite
from jobs.log.archive.data_file import DataFile
from jobs.log.archive.file_reader import covered_offsets, read_columns
from jobs.log.archive.file_writer import PartitionFiles
from jobs.log.archive.snapshot import Snapshot


class Sized(Protocol):
    """A data file of a partition."""

    @property
    def end(self) -> int: ...
    @property
    def bytes(self) -> int: ...


def by_size(files: Sequence[Sized], limit: int, first: int) -> int:
    """Where a partition is to begin, so that whole oldest files leave it and no less than `limit` bytes stay, as with
    Kafka's retention.bytes. `first` is where it begins now.
    """
    left = sum(file.bytes for file in files)
    for file in sorted(files, key=lambda file: file.end):
        left -= file.bytes
        if left < limit:
            break
        first = max(first, file.end)
    return first


def count_records(files: Sequence[DataFile], start: int, end: int) -> int:
    """The records with an offset in [start, end) in files of one partition. Raises ArchiveError, OSError."""
    number = 0
    for file in files:
        if start <= file.start and file.end <= end:
            number += file.records
        elif file.start < end and file.end > start:
            offsets = read_columns(file, ["offset"])["offset"]
            inside = pc.and_(pc.greater_equal(offsets, start), pc.less(offsets, end))
            number += pc.sum(inside).as_py() or 0
    return number


def remove(path: str, topic: str, firsts: Mapping[int, int]) -> None:
    """Let each partition begin at its offset in `firsts`, in one commit. A file is written anew if it is cut through.

    Raises Refused when another run was faster, ArchiveError, OSError and deltalake's DeltaError from the store.
    """
    new_marks = {marks.first(topic, partition): first for partition, first in firsts.items()}
    with rewrite.Rewrite(marks=new_marks) as change:
        for file in Snapshot(path, topic).refresh().files:
            first = firsts.get(file.partition, 0)
            if file.start < first:
                change.old.append(file)
            if file.start < first < file.end:
                covered = covered_offsets(file)
                change.new.append(PartitionFiles(path, topic, file.partition, 0, first if covered else None))
                rewrite.copy([file], change.new[-1], partial(_is_from, first))
                change.new[-1].close(covered and covered[1])
        rewrite.commit(path, topic, change, {"retention": {str(p): first for p, first in sorted(firsts.items())}})


def _is_from(first: int, rows: pa.Table) -> pa.Array:
    return pc.greater_equal(rows["offset"], first)
