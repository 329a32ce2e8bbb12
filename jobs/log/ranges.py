"""Ranges of offsets: what a batch reads of each partition, shared out among tasks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from jobs.log.archive.data_file import DataFile
from jobs.log.offsets import Offsets

BLOCK_RECORDS = 50_000
"""Most records of a block. A Bloom filter is asked once for each different key of a block, so large ones cost less."""
BLOCK_BYTES = 16 * 2**20
"""A block ends once its keys and values take so much: it bounds the memory of a task, whatever the records are."""


@dataclass(frozen=True)
class Range:
    """The records of one partition with an offset in [start, end). Some offsets may have no record."""

    partition: int
    start: int
    end: int
    files: tuple[DataFile, ...] = ()
    """Those of the archive that may hold one of them."""

    @property
    def offsets(self) -> int:
        """How many there are: at least as many as records."""
        return self.end - self.start


class RangeReader(Protocol):
    """Reads one topic of the log. It is sent to the tasks of Spark, so it holds neither connections nor secrets."""

    def plan(self, starts: Offsets, ends: Offsets) -> list[Range]:
        """What lies between these offsets, by partition. A partition without a start is read from its first record.

        Raises Refused when records of it are no longer there.
        """

    def read(self, ranges: Sequence[Range], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The records of `ranges`, one after the other, in order of offset, in blocks of one partition with the columns
        `names` of schemas/archive.py. A block has at most BLOCK_RECORDS, and about BLOCK_BYTES.

        Raises Refused, ArchiveError or OSError when they cannot be read.
        """

    def close(self) -> None:
        """Let go of what this process has kept for the next ranges."""


def share(ranges: Sequence[Range], tasks: int) -> list[list[Range]]:
    """The ranges in at most `tasks` parts that are about as long, longest range first (LPT rule: Graham, "Bounds on
    multiprocessing timing anomalies", SIAM J. Appl. Math. 17(2), 1969). No range is cut: the records of a partition
    are read in order. No part is empty.
    """
    parts: list[list[Range]] = [[] for _ in range(min(tasks, len(ranges)))]
    for each in sorted(ranges, key=lambda each: (-each.offsets, each.partition)):
        min(parts, key=lambda part: sum(one.offsets for one in part)).append(each)
    return parts


def join_blocks(chunks: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The records of `chunks` in blocks of BLOCK_RECORDS at most, which end once they have BLOCK_BYTES."""
    waiting: list[pa.RecordBatch] = []
    for chunk in chunks:
        if waiting and len(chunk) + sum(map(len, waiting)) > BLOCK_RECORDS:
            yield _join(waiting)
            waiting = []
        waiting.append(chunk)
        if sum(one.nbytes for one in waiting) >= BLOCK_BYTES:
            yield _join(waiting)
            waiting = []
    if waiting:
        yield _join(waiting)


def _join(chunks: list[pa.RecordBatch]) -> pa.RecordBatch:
    return chunks[0] if len(chunks) == 1 else pa.concat_batches(chunks)
