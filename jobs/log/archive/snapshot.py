"""The archive as a log: which offsets it holds, and the records between two of them. Runs without a JVM.

The facts come from the statistics in the Delta log alone; a data file is opened only to read its records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.log.archive.file_reader import ArchiveError, LogFile, batches, schema


@dataclass(frozen=True)
class Ends:
    """What one partition holds. Offsets and times are None when it holds nothing."""

    partition: int
    first_offset: int | None
    last_offset: int | None
    records: int
    first_time: datetime | None
    last_time: datetime | None


class Snapshot:
    """The files of one topic at one version of the table. Empty while there is no such table or topic."""

    def __init__(self, path: str, topic: str) -> None:
        self.path = path
        self.topic = topic
        self.files: list[LogFile] = []
        self.ends: dict[int, int] = {}
        """The next offset of each partition."""
        self._marked: dict[int, int] = {}
        """The first offset of each partition that retention or compaction has been to."""
        self._table: Any = None
        self._version = -1

    def refresh(self) -> "Snapshot":
        """Come up to the newest version; about a millisecond when nothing is new. Raises ArchiveError."""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        if self._table is None:
            try:
                self._table = DeltaTable(self.path)
            except TableNotFoundError:
                return self
        else:
            self._table.update_incremental()
        if self._table.version() != self._version:
            self.files = sorted(self._listed(), key=lambda file: (file.partition, file.first))
            self.ends = self._next_offsets()
            self._marked = self._first_offsets()
            self._version = self._table.version()
        return self

    def firsts(self) -> dict[int, int]:
        """The first offset of each partition; its next offset if it holds nothing.

        Below it records are gone. Above it an offset without a record is no loss: compaction took it, or it never was.
        """
        firsts = dict(self.ends)
        for file in reversed(self.files):
            firsts[file.partition] = file.first
        return firsts | self._marked

    def keeps(self, topic_id: str) -> bool:
        """Whether the records are those of the Kafka topic with this id."""
        return self.mark(f"kafka:{topic_id}") is not None

    def mark(self, name: str) -> int | None:
        """A mark of the topic, such as "kept" or "first:0"; None if it was never set."""
        kind, colon, more = name.partition(":")
        found = self._table.transaction_version(f"{kind}:{self.topic}{colon}{more}") if self._table else None
        return None if found is None else int(found)

    def _listed(self) -> Iterator[LogFile]:
        actions = pa.table(self._table.get_add_actions(flatten=True))
        if len(actions) == 0:
            return
        for row in actions.filter(pc.equal(actions["partition.topic"], self.topic)).to_pylist():
            if row.get("min.offset") is None or row.get("min.timestamp") is None:
                raise ArchiveError(f"{self.path}/{row['path']} has no statistics of offset and timestamp in the log.")
            yield LogFile(
                f"{self.path}/{row['path']}",
                row["partition.partition"],
                row["min.offset"],
                row["max.offset"],
                row["num_records"],
                row["min.timestamp"],
                row["max.timestamp"],
                row["size_bytes"],
            )

    def _next_offsets(self) -> dict[int, int]:
        """From the files and from the producer's marks, which outlive files that were deleted."""
        marked = self._table.transaction_version(f"partitions:{self.topic}") or 0
        ends = {
            partition: self._table.transaction_version(f"end:{self.topic}:{partition}") or 0
            for partition in range(max([marked, *(file.partition + 1 for file in self.files)]))
        }
        for file in self.files:
            ends[file.partition] = max(ends[file.partition], file.last + 1)
        return ends

    def _first_offsets(self) -> dict[int, int]:
        """From the marks of retention and compaction; a partition without one begins with its first file."""
        marks = {part: self.mark(f"first:{part}") for part in self.ends}
        return {partition: mark for partition, mark in marks.items() if mark is not None}


def ends(path: str, topic: str) -> list[Ends]:
    """What each partition of the topic holds, by partition; empty if there is no such table or topic."""
    snapshot = Snapshot(path, topic).refresh()
    firsts = snapshot.firsts()
    return [_ends(part, firsts[part], end, snapshot.files) for part, end in sorted(snapshot.ends.items())]


def _ends(partition: int, first: int, end: int, every: list[LogFile]) -> Ends:
    files = [file for file in every if file.partition == partition]
    if not files:
        return Ends(partition, None, None, 0, None, None)
    return Ends(
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
    kept, missing = [schema().empty_table()], limit
    end = snapshot.ends.get(partition, 0)
    files = [file for file in snapshot.files if file.partition == partition and file.last >= offset]
    if missing > 0:
        for batch in batches(files, topic, partition, offset, end):
            kept.append(pa.Table.from_batches([batch.slice(0, missing)]))
            missing -= batch.num_rows
            if missing <= 0:
                break
    return pa.concat_tables(kept)
