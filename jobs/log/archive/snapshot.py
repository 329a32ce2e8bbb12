"""The archive as a log: which offsets it holds, and the records between two of them. Runs without a JVM.

The facts come from the statistics and marks in the Delta log alone; a data file is opened only to read its records.
"""

from datetime import datetime
from typing import Any

import pyarrow as pa

from jobs.log.archive import marks
from jobs.log.archive.data_file import DataFile, list_files
from jobs.log.archive.file_reader import batches, first_offset_since, schema
from jobs.log.offsets import Offsets
from jobs.log.topic import Extent


class Snapshot:
    """One topic at one version of the table. Empty while there is no such table or topic."""

    def __init__(self, path: str, topic: str) -> None:
        self.path = path
        self.topic = topic
        self.table: Any = None
        """The open DeltaTable; None while there is none."""
        self.files: list[DataFile] = []
        """By partition and offset."""
        self.ends: Offsets = {}
        """The next offset of each partition."""
        self.partitions = 0
        """The number of partitions; 0 if there is no such topic."""
        self._firsts: Offsets | None = None
        self._version = -1

    def refresh(self) -> "Snapshot":
        """Come up to the newest version; about a millisecond when nothing is new. Raises ArchiveError."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        if self.table is None:
            try:
                self.table = DeltaTable(self.path)
            except TableNotFoundError:
                return self
        else:
            self.table.update_incremental()
        if self.table.version() != self._version:
            self.files = list_files(self.table, self.path, self.topic)
            marked = self.mark(marks.partitions(self.topic)) or 0
            self.ends = self._next_offsets(marked)
            self.partitions = marked or len(self.ends)
            self._firsts = None
            self._version = self.table.version()
        return self

    def firsts(self) -> Offsets:
        """The first offset of each partition; its next offset if it holds nothing.

        Below it records are gone. Above it an offset without a record is no loss: compaction took it, or it never was.
        """
        if self._firsts is None:
            self._firsts = dict(self.ends)
            for file in reversed(self.files):
                self._firsts[file.partition] = file.start
            marked = {partition: self.mark(marks.first(self.topic, partition)) for partition in self.ends}
            self._firsts |= {partition: mark for partition, mark in marked.items() if mark is not None}
        return dict(self._firsts)

    def files_of(self, partition: int, start: int = 0, end: int | None = None) -> list[DataFile]:
        """The files of a partition that may hold an offset in [start, end), by offset; without `end`, from `start`."""
        files = (file for file in self.files if file.partition == partition)
        return [file for file in files if file.end > start and (end is None or file.start < end)]

    def offsets_since(self, time: datetime) -> Offsets:
        """By partition, the first offset whose record timestamp is `time` or later; the end where there is none."""
        offsets = {partition: first_offset_since(self.files_of(partition), time) for partition in self.ends}
        return {p: self.ends[p] if offset is None else offset for p, offset in offsets.items()}

    def is_kafka_copy(self) -> bool:
        """Whether the topic is a copy of one in Kafka."""
        return self.mark(marks.kafka_copy(self.topic)) is not None

    def is_copy_of(self, topic_id: str) -> bool:
        """Whether the records are those of the Kafka topic with this id."""
        return self.mark(marks.kafka_topic(self.topic, topic_id)) is not None

    def mark(self, name: str) -> int | None:
        """A mark, see jobs.log.archive.marks; None if it was never set."""
        number = None if self.table is None else self.table.transaction_version(name)
        return None if number is None else int(number)

    def _next_offsets(self, partitions: int) -> Offsets:
        """From the files and from the producer's marks, which outlive files that were deleted."""
        count = max([partitions, *(file.partition + 1 for file in self.files)])
        ends = {partition: self.mark(marks.end(self.topic, partition)) or 0 for partition in range(count)}
        for file in self.files:
            ends[file.partition] = max(ends[file.partition], file.end)
        return ends


def extents(path: str, topic: str) -> list[Extent]:
    """What each partition of the topic holds, by partition; empty if there is no such table or topic."""
    snapshot = Snapshot(path, topic).refresh()
    firsts = snapshot.firsts()
    return [_extent(snapshot, partition, firsts[partition], end) for partition, end in sorted(snapshot.ends.items())]


def _extent(snapshot: Snapshot, partition: int, first: int, end: int) -> Extent:
    files = snapshot.files_of(partition)
    if not files:
        return Extent(partition, None, None, 0, None, None)
    return Extent(
        partition,
        first,
        end - 1,
        sum(file.records for file in files),
        min(file.first_time for file in files),
        max(file.last_time for file in files),
    )


def records(path: str, topic: str, partition: int, offset: int, limit: int) -> pa.Table:
    """At most `limit` records from `offset` on, in order, in the archive's columns. Raises ArchiveError."""
    snapshot = Snapshot(path, topic).refresh()
    tables, missing = [schema().empty_table()], limit
    end = snapshot.ends.get(partition, 0)
    if missing > 0:
        for batch in batches(snapshot.files_of(partition, offset), topic, partition, offset, end):
            tables.append(pa.Table.from_batches([batch.slice(0, missing)]))
            missing -= batch.num_rows
            if missing <= 0:
                break
    return pa.concat_tables(tables)
