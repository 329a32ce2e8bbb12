"""Compaction of the archive: of all records with the same key in a topic only the last one stays.

What stays keeps its offset, and the gaps are no loss: marks say where a partition begins, and up to where it has been
compacted. Records without a key all stay (Kafka would refuse them on a compacted topic).

A record without a value is a tombstone: its key is deleted. The compaction that meets it first marks its offset and the
time; a later one removes it, once every reader, even an unknown one, has had long enough to see it. That time is
measured by the clock: the record's timestamp may be the time of an event of years ago.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc

from jobs.log.archive import marks, rewrite
from jobs.log.archive.data_file import DataFile
from jobs.log.archive.file_reader import covered_offsets, read_columns
from jobs.log.archive.file_writer import SCHEMA, PartitionFiles
from jobs.log.archive.snapshot import Snapshot
from jobs.running import durations

TOMBSTONES_FOR = "24 hours"
"""Kafka's delete.retention.ms."""


@dataclass(frozen=True)
class PartitionPlan:
    """What compaction does to one partition."""

    partition: int
    until: int
    """Only records below this offset leave: every known job has read them."""
    tombstones_until: int
    """Below this offset tombstones leave too."""
    marks_tombstones: bool
    """Whether the wait of the tombstones up to `until` begins now."""
    records: int
    superseded: int
    """Records that leave because their key has a later one."""
    tombstones: int
    """Tombstones that leave."""
    files: tuple[tuple[DataFile, pa.Array | None], ...]
    """Each file, with the offsets that leave it; None: it stays as it is."""

    @property
    def removed_records(self) -> int:
        """How many records leave."""
        return self.superseded + self.tombstones

    @property
    def rewritten_records(self) -> int:
        """How many records the files hold that are written anew."""
        return sum(file.records for file, leaving in self.files if leaving is not None)


def plan(
    path: str,
    topic: str,
    until: Mapping[int, int],
    now_ms: int,
    tombstones_ms: int,
    advance: Callable[[int], None] = lambda _: None,
) -> list[PartitionPlan]:
    """What there is to do, by partition. Reads every key; keeps the keys of one partition in memory.

    `until` has, by partition, the offset below which records may leave. `advance` is told of so many more records whose
    keys are read. Raises ArchiveError, OSError, and DeltaError of
    deltalake.
    """
    log = Snapshot(path, topic).refresh()
    plans = []
    for partition, files in groupby(log.files, key=lambda file: file.partition):
        bound = until.get(partition, 0)
        met = log.mark(marks.tombstones(topic, partition)) or 0
        met_ms = log.mark(marks.tombstones_time(topic, partition))
        is_over = met_ms is not None and now_ms >= met_ms + tombstones_ms
        tombstones_until = min(met, bound) if is_over else 0
        marks_tombstones = (is_over or met_ms is None) and bound > met
        plans.append(_plan_partition(list(files), bound, tombstones_until, marks_tombstones, advance))
    return plans


def _plan_partition(
    files: list[DataFile],
    until: int,
    tombstones_until: int,
    marks_tombstones: bool,
    advance: Callable[[int], None],
) -> PartitionPlan:
    latest = _latest_offsets(files, advance)
    planned: list[tuple[DataFile, pa.Array | None]] = []
    superseded = tombstones = 0
    for file in files:
        old, dead = _leaving_offsets(file, latest, until, tombstones_until)
        superseded += len(old)
        tombstones += len(dead)
        planned.append((file, pa.concat_arrays([old, dead]) if len(old) + len(dead) else None))
    return PartitionPlan(
        files[0].partition,
        until,
        tombstones_until,
        marks_tombstones,
        sum(file.records for file in files),
        superseded,
        tombstones,
        tuple(planned),
    )


def _latest_offsets(files: list[DataFile], advance: Callable[[int], None]) -> pa.Table:
    """The last offset of each key, as a table of key and offset."""
    latest = pa.schema([SCHEMA.field("key"), SCHEMA.field("offset")]).empty_table()
    for file in files:
        rows = read_columns(file, latest.column_names)
        rows = pa.concat_tables([latest, rows.filter(pc.is_valid(rows["key"]))])
        grouped = rows.group_by("key").aggregate([("offset", "max")])
        latest = grouped.rename_columns(["key", "offset"]).cast(rows.schema)
        advance(file.records)
    return latest


def _leaving_offsets(file: DataFile, latest: pa.Table, until: int, tombstones_until: int) -> tuple[pa.Array, pa.Array]:
    """The offsets that leave the file: of superseded records, and of tombstones."""
    none = pa.array([], pa.int64())
    if file.start >= until or (covered_offsets(file) or (0, 0))[1] > until:
        return none, none  # the file's footer covers offsets from `until` on, and has to stay for them
    may_be_dead = file.start < tombstones_until
    rows = read_columns(file, ["key", "offset", *(["value"] if may_be_dead else [])])
    offsets = rows["offset"].combine_chunks()
    last = latest["offset"].take(pc.index_in(rows["key"], value_set=latest["key"].combine_chunks())).combine_chunks()
    old = pc.fill_null(pc.and_(pc.less(offsets, last), pc.less(offsets, until)), False)
    dead = pa.repeat(pa.scalar(False), len(rows))
    if may_be_dead:
        null = pc.and_(pc.is_null(rows["value"]).combine_chunks(), pc.less(offsets, tombstones_until))
        dead = pc.fill_null(pc.and_(null, pc.equal(offsets, last)), False)
    return offsets.filter(old), offsets.filter(dead)


def compact(
    path: str,
    topic: str,
    firsts: Mapping[int, int],
    plans: list[PartitionPlan],
    now_ms: int,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Do what was planned, in one commit; nothing if there is nothing to do. `firsts` are the topic's first offsets;
    `advance` is told of so many more records that were read and written anew.

    Raises Refused when another run was faster, ArchiveError, OSError and deltalake's DeltaError from the store.
    """
    if not any(step.marks_tombstones or step.removed_records for step in plans):
        return
    with rewrite.Rewrite(marks=_new_marks(topic, firsts, plans, now_ms)) as change:
        for step in plans:
            # Files side by side that lose records become one: compaction leaves little of each.
            for is_changed, side_by_side in groupby(step.files, key=lambda file: file[1] is not None):
                if is_changed:
                    old, leaving = zip(*side_by_side, strict=True)
                    change.old += old
                    change.new.append(PartitionFiles(path, topic, step.partition, 0))
                    rewrite.copy(old, change.new[-1], partial(_is_staying, pa.chunked_array(leaving)))
                    change.new[-1].close()
                    advance(sum(file.records for file in old))
        removed = {str(step.partition): step.removed_records for step in plans}
        rewrite.commit(path, topic, change, {"compaction": removed})


def _new_marks(topic: str, firsts: Mapping[int, int], plans: list[PartitionPlan], now_ms: int) -> dict[str, int]:
    new_marks = {marks.first(topic, partition): first for partition, first in firsts.items()}
    for step in plans:
        if step.marks_tombstones:
            new_marks[marks.tombstones(topic, step.partition)] = step.until
            new_marks[marks.tombstones_time(topic, step.partition)] = now_ms
        if step.removed_records:
            new_marks[marks.compacted_end(topic, step.partition)] = step.until
    return new_marks


def _is_staying(leaving: pa.ChunkedArray, rows: pa.Table) -> pa.Array:
    return pc.invert(pc.is_in(rows["offset"], value_set=leaving))


def tombstones_ms(duration: str) -> int:
    """A length of time such as TOMBSTONES_FOR in milliseconds. Raises ValueError if it is none."""
    return 1000 * durations.seconds(duration)
