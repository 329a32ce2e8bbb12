"""Files of the archive written anew without some of their records, and the commit that puts them in place of the old.

Offsets are kept: what is left out is a gap. The commit carries the marks of the producer (`end:TOPIC:PARTITION`) along,
so that an offset is never given out again, and conflicts with an append that came between: then it is tried again on
top of that.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction

from jobs.log.archive import topic as topics
from jobs.log.archive import writer
from jobs.log.archive.file_writer import COVERS, SCHEMA, PartitionFiles, Written, filesystem
from jobs.running.errors import Refused
from schemas.archive import PARTITIONED_BY

VACUUM_HOURS = 168
"""Files that the table no longer holds are deleted after a week, as Delta's VACUUM does: so long a reader that has
begun, and Delta's time travel, may still want them."""


@dataclass(frozen=True)
class Held:
    """A data file of a topic that the table holds now."""

    path: str
    partition: int
    first: int
    last: int
    records: int
    bytes: int


@dataclass
class Change:
    """What a commit does to a topic: files that leave, files that come, and marks.

    As a context, it deletes the files that were to come if it ends in an error before `commit`.
    """

    old: list[Held] = field(default_factory=list)
    new: list[PartitionFiles] = field(default_factory=list)
    marks: dict[str, int] = field(default_factory=dict)
    """A mark that is greater in the table already stays as it is."""
    begun: bool = False
    """Whether the table may hold the files that come."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not self.begun:
            self.discard()

    @property
    def written(self) -> list[Written]:
        """The files that come."""
        return [file for files in self.new for file in files.written]

    def discard(self) -> None:
        """Delete the files that were to come."""
        for files in self.new:
            files.discard()


def held(table: DeltaTable, topic: str) -> list[Held]:
    """The files of the topic, by partition and offset. Raises Refused if one has no statistics."""
    actions = pa.table(table.get_add_actions(flatten=True))
    rows = actions.filter(pc.equal(actions["partition.topic"], topic)).to_pylist() if len(actions) else []
    if any(row.get("min.offset") is None or row.get("max.offset") is None for row in rows):
        raise Refused(f"topic {topic}: a file has no statistics of its offsets in the Delta log, so it stays as it is.")
    files = [
        Held(
            row["path"],
            row["partition.partition"],
            row["min.offset"],
            row["max.offset"],
            row["num_records"],
            row["size_bytes"],
        )
        for row in rows
    ]
    return sorted(files, key=lambda file: (file.partition, file.first))


def columns(path: str, file: Held, names: Sequence[str]) -> pa.Table:
    """Some columns of a file. Raises OSError."""
    system, root = filesystem(path)
    with pq.ParquetFile(system.open_input_file(f"{root}/{file.path}")) as source:
        table = source.read(columns=list(names), use_threads=False).select(list(names))
    return table.cast(pa.schema([SCHEMA.field(name) for name in names]))


def covers(path: str, file: Held) -> tuple[int, int] | None:
    """The offsets [from, to) that were read for a file that was copied from Kafka; None for others. Raises OSError."""
    system, root = filesystem(path)
    with pq.ParquetFile(system.open_input_file(f"{root}/{file.path}")) as source:
        said = (source.metadata.metadata or {}).get(COVERS.encode())
    if said is None:
        return None
    first, _, after = said.decode().partition("-")
    return int(first), int(after)


def copy(path: str, files: Sequence[Held], into: PartitionFiles, keep: Callable[[pa.Table], pa.Array]) -> None:
    """Write the records of `files` for which `keep` is true, in order of offset. Raises OSError.

    A row group at a time; files that another writer has put together in another order are sorted, in memory.
    """
    offsets = np.concatenate([columns(path, file, ["offset"])["offset"].to_numpy() for file in files])
    groups: Iterator[pa.Table] = (group for file in files for group in _groups(path, file))
    if (offsets[1:] <= offsets[:-1]).any():
        groups = iter([pa.concat_tables(groups).sort_by("offset")])
    for rows in groups:
        for batch in rows.filter(keep(rows)).to_batches():
            into.add(batch)


def _groups(path: str, file: Held) -> Iterator[pa.Table]:
    system, root = filesystem(path)
    with pq.ParquetFile(system.open_input_file(f"{root}/{file.path}")) as source:
        for group in range(source.num_row_groups):
            yield source.read_row_group(group, use_threads=False).select(SCHEMA.names).cast(SCHEMA)


def commit(path: str, topic: str, change: Change, said: Mapping[str, object]) -> None:
    """Make the change, in one commit, or nothing. Raises Refused if another run has taken one of its files away."""
    change.begun = True
    added = {file.path for file in change.written}
    with writer.queue(path):
        for attempt in range(writer.ATTEMPTS):
            table = DeltaTable(path)
            there = {file.path for file in held(table, topic)}
            if attempt and added and added <= there:
                return  # the commit that seemed to fail had come through
            if not {file.path for file in change.old} <= there:
                change.discard()
                raise Refused(f"topic {topic}: another run has changed the same records meanwhile; run again.")
            try:
                _write(table, topic, change, said)
                writer.checkpoint(table)
                return
            except CommitFailedError:
                time.sleep(0.02 * attempt)
    change.discard()
    raise Refused(f"topic {topic}: producers were faster {writer.ATTEMPTS} times; nothing was changed, run again.")


def _write(table: DeltaTable, topic: str, change: Change, said: Mapping[str, object]) -> None:
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        AddAction(file.path, file.bytes, _folders(topic, file.partition), now, True, file.statistics())
        for file in change.written
    ]
    actions += [
        RemoveAction(file.path, True, now, size=file.bytes, partition_values=_folders(topic, file.partition))
        for file in change.old
    ]
    known = topics.known(table, topic)
    marks = {f"partitions:{topic}": known.partitions}
    marks |= {f"end:{topic}:{partition}": end for partition, end in known.ends.items()}
    marks |= {name: max(mark, table.transaction_version(name) or 0) for name, mark in change.marks.items()}
    table.create_write_transaction(
        actions,
        "append",
        table.schema(),
        list(PARTITIONED_BY),
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": json.dumps({"topic": topic, **said})},
            app_transactions=[Transaction(name, mark) for name, mark in marks.items()],
            max_commit_retries=0,  # tried again here, on the table as it is then
        ),
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )


def _folders(topic: str, partition: int) -> dict[str, str | None]:
    return {"topic": topic, "partition": str(partition)}


def vacuum(path: str) -> list[str]:
    """Delete files that left the table more than VACUUM_HOURS ago; returns their names."""
    with contextlib.suppress(CommitFailedError):  # a producer was faster; the next run deletes them
        return DeltaTable(path).vacuum(VACUUM_HOURS, dry_run=False, full=True)
    return []
