"""Rewrites of the archive: files are written again without some of their records, and one commit swaps them.

Offsets stay what they are: what is left out is a gap. The commit sets the ends of the partitions again, so that an
offset is never given out twice, and so that it conflicts with an append that came between: then it is tried again on
top of that.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from jobs.log.archive import marks, transaction
from jobs.log.archive.data_file import DataFile
from jobs.log.archive.file_reader import open_file, read_columns
from jobs.log.archive.file_writer import SCHEMA, NewFile, PartitionFiles
from jobs.log.archive.snapshot import Snapshot
from jobs.running.errors import Refused

VACUUM_HOURS = 168
"""Files that left the table are deleted after a week, as Delta's VACUUM does: until then a reader that has begun, or
Delta's time travel, may want them."""


@dataclass
class Rewrite:
    """What one commit changes in a topic: files that leave, files that come, and marks.

    As a context, it deletes the files that were to come if it ends in an error before `commit`.
    """

    old: list[DataFile] = field(default_factory=list)
    new: list[PartitionFiles] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    """A mark that is greater in the table already stays as it is."""
    is_committing: bool = False
    """Whether the table may hold the files that come."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not self.is_committing:
            self.discard()

    @property
    def new_files(self) -> list[NewFile]:
        """The files that come."""
        return [file for files in self.new for file in files.written]

    def discard(self) -> None:
        """Delete the files that were to come."""
        for files in self.new:
            files.discard()


def copy(files: Sequence[DataFile], into: PartitionFiles, is_staying: Callable[[pa.Table], pa.Array]) -> None:
    """Write the records of `files` for which `is_staying` is true, in order of offset. Raises ArchiveError, OSError.

    A row group at a time; files that another writer has put together in another order are sorted, in memory.
    """
    offsets = np.concatenate([read_columns(file, ["offset"])["offset"].to_numpy() for file in files])
    groups: Iterator[pa.Table] = (group for file in files for group in _row_groups(file))
    if (offsets[1:] <= offsets[:-1]).any():
        groups = iter([pa.concat_tables(groups).sort_by("offset")])
    for rows in groups:
        for batch in rows.filter(is_staying(rows)).to_batches():
            into.add(batch)


def _row_groups(file: DataFile) -> Iterator[pa.Table]:
    with open_file(file) as source:
        for group in range(source.num_row_groups):
            yield source.read_row_group(group, use_threads=False).select(SCHEMA.names).cast(SCHEMA)


def commit(path: str, topic: str, change: Rewrite, metadata: Mapping[str, object]) -> None:
    """Make the change, in one commit, or nothing. Raises Refused if another run has taken one of its files away."""

    def write(log: Snapshot) -> None:
        if not {file.path for file in change.old} <= {file.path for file in log.files}:
            raise Refused(f"topic {topic}: another run has changed the same records meanwhile; run again.")
        _write(log, topic, change, metadata)

    change.is_committing = True
    try:
        transaction.retry_on_conflict(path, topic, lambda: change.new_files, write)
    except Refused:
        change.discard()
        raise


def _write(log: Snapshot, topic: str, change: Rewrite, metadata: Mapping[str, object]) -> None:
    new_marks = {marks.partitions(topic): log.partitions}
    new_marks |= {marks.end(topic, partition): end for partition, end in log.ends.items()}
    new_marks |= {name: max(number, log.mark(name) or 0) for name, number in change.marks.items()}
    # Delta must not try it again by itself: files that left meanwhile are looked for before each attempt.
    transaction.commit_files(log.table, topic, change.new_files, new_marks, metadata, change.old, delta_retries=0)


def vacuum(path: str) -> list[str]:
    """Delete files that left the table more than VACUUM_HOURS ago; returns their names."""
    with contextlib.suppress(CommitFailedError):  # a producer was faster; the next run deletes them
        return DeltaTable(path).vacuum(VACUUM_HOURS, dry_run=False, full=True)
    return []
