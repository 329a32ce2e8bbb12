"""Retention of the archive: the oldest records of a topic leave it, from the front of each partition.

As in Kafka offsets stay what they are, the end of a partition never goes back, and where it begins is remembered: the
mark `first:TOPIC:PARTITION`, in the commit that takes the records out.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.log.archive import rewrite
from jobs.log.archive.file_writer import PartitionFiles


class Sized(Protocol):
    """A data file of a partition."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def bytes(self) -> int: ...


def by_size(files: Sequence[Sized], limit: int, first: int) -> int:
    """Where a partition is to begin, so that whole oldest files leave it and no less than `limit` bytes stay, as with
    Kafka's retention.bytes. `first` is where it begins now.
    """
    left = sum(file.bytes for file in files)
    for file in sorted(files, key=lambda file: file.last):
        left -= file.bytes
        if left < limit:
            break
        first = max(first, file.last + 1)
    return first


def held_by_partition(path: str, topic: str) -> dict[int, list[rewrite.Held]]:
    """The files of the topic."""
    files = rewrite.held(DeltaTable(path), topic)
    return {partition: list(mine) for partition, mine in groupby(files, key=lambda file: file.partition)}


def counted(path: str, files: Sequence[rewrite.Held], first: int, after: int) -> int:
    """The records with an offset in [first, after) in files of one partition. Raises OSError."""
    number = 0
    for file in files:
        if first <= file.first and file.last < after:
            number += file.records
        elif file.first < after and file.last >= first:
            offsets = rewrite.columns(path, file, ["offset"])["offset"]
            inside = pc.and_(pc.greater_equal(offsets, first), pc.less(offsets, after))
            number += pc.sum(inside).as_py() or 0
    return number


def remove(path: str, topic: str, firsts: Mapping[int, int]) -> None:
    """Let each partition begin at its offset in `firsts`, in one commit. A file is written anew if it is cut through.

    Raises Refused when another run was faster, OSError and deltalake's DeltaError from the store.
    """
    marks = {f"first:{topic}:{partition}": first for partition, first in firsts.items()}
    with rewrite.Change(marks=marks) as change:
        for file in rewrite.held(DeltaTable(path), topic):
            first = firsts.get(file.partition, 0)
            if file.first < first:
                change.old.append(file)
            if file.first < first <= file.last:
                covered = rewrite.covers(path, file)
                change.new.append(PartitionFiles(path, topic, file.partition, 0, first if covered else None))
                rewrite.copy(path, [file], change.new[-1], partial(_from, first))
                change.new[-1].close(covered and covered[1])
        said = {"retention": {str(partition): first for partition, first in sorted(firsts.items())}}
        rewrite.commit(path, topic, change, said)


def _from(first: int, rows: pa.Table) -> pa.Array:
    return pc.greater_equal(rows["offset"], first)
