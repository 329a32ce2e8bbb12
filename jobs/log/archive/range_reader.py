"""Ranges of a topic in the archive, read by pyarrow in the process that decodes them."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from jobs.log.archive.file_reader import batches
from jobs.log.archive.snapshot import Snapshot
from jobs.log.offsets import Offsets
from jobs.log.ranges import BLOCK_RECORDS, Range, join_blocks
from jobs.running.errors import Refused


class ArchiveRanges:
    """A jobs.log.ranges.RangeReader of a topic in the archive."""

    def __init__(self, path: str, topic: str) -> None:
        self._topic, self._path = topic, path
        self._snapshot: Snapshot | None = None

    def __getstate__(self) -> dict[str, Any]:
        """A task needs no snapshot: its ranges name their files."""
        return vars(self) | {"_snapshot": None}

    def plan(self, starts: Offsets, ends: Offsets) -> list[Range]:
        self._snapshot = self._snapshot or Snapshot(self._path, self._topic)
        log = self._snapshot.refresh()
        firsts, ranges = log.firsts(), []
        for partition, end in sorted(ends.items()):
            first = firsts.get(partition, 0)
            start = starts.get(partition, first)
            if start < min(end, first):
                raise Refused(
                    f"partition {partition} of topic {self._topic} in {self._path} no longer has the offsets {start} "
                    f"to {first - 1}, which were not read yet: retention was faster. Run again: the next run says what "
                    "is lost."
                )
            files = log.files_of(partition, start, end)
            if start < end and files:
                ranges.append(Range(partition, start, end, tuple(files)))
        return ranges

    def read(self, ranges: Sequence[Range], names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for each in ranges:
            read = batches(each.files, self._topic, each.partition, each.start, each.end, names, BLOCK_RECORDS)
            yield from join_blocks(read)

    def close(self) -> None:
        pass
