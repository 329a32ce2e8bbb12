"""Compaction of the archive: of the records of a key in a topic the last one stays.

What stays keeps its offset, and the gaps are no loss: the mark `first:TOPIC:PARTITION` says where a partition begins,
`compacted:TOPIC:PARTITION` up to where it has been compacted.
Records without a key all stay (Kafka would not take them on a compacted topic, and drops them). A record without a
value is a tombstone: its key is deleted. It stays until a compaction that comes long enough after the first that met it
(`tombstones:TOPIC:PARTITION`, the offset up to which they were met; `tombstones_time:...`, when, milliseconds), so that
a reader whom nobody knows has this long to see it. The clock counts, not the record's timestamp, which may be the time
of an event of years ago.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.log.archive import rewrite
from jobs.log.archive.file_writer import SCHEMA, PartitionFiles
from jobs.log.archive.rewrite import Held
from jobs.running import durations

TOMBSTONES_FOR = "24 hours"
"""Kafka's delete.retention.ms."""


@dataclass(frozen=True)
class Part:
    """What compaction does to one partition."""

    partition: int
    until: int
    """Only records below this offset leave: every job that is known has read them."""
    tombstones_until: int
    """Below this offset tombstones leave too."""
    newly_met: bool
    """Whether tombstones up to `until` are met now, and wait from now on."""
    records: int
    superseded: int
    """Records that leave because their key has a later one."""
    tombstones: int
    """Tombstones that leave."""
    files: tuple[tuple[Held, pa.Array | None], ...]
    """Each file, with the offsets that leave it; None: it stays as it is."""


def plan(path: str, topic: str, until: Mapping[int, int], now_ms: int, tombstones_ms: int) -> list[Part]:
    """What there is to do, by partition. Reads every key; holds the keys of one partition in memory.

    `until` has, by partition, the offset below which records may leave. Raises OSError, and DeltaError of deltalake.
    """
    table = DeltaTable(path)
    parts = []
    for partition, files in groupby(rewrite.held(table, topic), key=lambda file: file.partition):
        bound = until.get(partition, 0)
        met = table.transaction_version(f"tombstones:{topic}:{partition}") or 0
        met_ms = table.transaction_version(f"tombstones_time:{topic}:{partition}")
        over = met_ms is not None and now_ms >= met_ms + tombstones_ms
        gone = min(met, bound) if over else 0
        parts.append(_planned(path, list(files), bound, gone, (over or met_ms is None) and bound > met))
    return parts


def _planned(path: str, files: list[Held], until: int, tombstones_until: int, newly_met: bool) -> Part:
    latest = _latest(path, files)
    chosen: list[tuple[Held, pa.Array | None]] = []
    superseded = tombstones = 0
    for file in files:
        old, dead = _leaving(path, file, latest, until, tombstones_until)
        superseded += len(old)
        tombstones += len(dead)
        chosen.append((file, pa.concat_arrays([old, dead]) if len(old) + len(dead) else None))
    count = sum(file.records for file in files)
    return Part(
        files[0].partition, until, tombstones_until, newly_met, count, superseded, tombstones, tuple(chosen)
    )  # fmt: skip


def _latest(path: str, files: list[Held]) -> pa.Table:
    """The last offset of each key: key, offset."""
    latest = pa.schema([SCHEMA.field("key"), SCHEMA.field("offset")]).empty_table()
    for file in files:
        rows = rewrite.columns(path, file, latest.column_names)
        rows = pa.concat_tables([latest, rows.filter(pc.is_valid(rows["key"]))])
        grouped = rows.group_by("key").aggregate([("offset", "max")])
        latest = grouped.rename_columns(["key", "offset"]).cast(rows.schema)
    return latest


def _leaving(path: str, file: Held, latest: pa.Table, until: int, tombstones_until: int) -> tuple[pa.Array, pa.Array]:
    """The offsets that leave the file: of records with a later one, and of tombstones."""
    none = pa.array([], pa.int64())
    if file.first >= until or (rewrite.covers(path, file) or (0, 0))[1] > until:
        return none, none  # what the file says of offsets from `until` on is to stay
    may_be_dead = file.first < tombstones_until
    rows = rewrite.columns(path, file, ["key", "offset", *(["value"] if may_be_dead else [])])
    offsets = rows["offset"].combine_chunks()
    last = latest["offset"].take(pc.index_in(rows["key"], value_set=latest["key"].combine_chunks())).combine_chunks()
    old = pc.fill_null(pc.and_(pc.less(offsets, last), pc.less(offsets, until)), False)
    dead = pa.repeat(pa.scalar(False), len(rows))
    if may_be_dead:
        null = pc.and_(pc.is_null(rows["value"]).combine_chunks(), pc.less(offsets, tombstones_until))
        dead = pc.fill_null(pc.and_(null, pc.equal(offsets, last)), False)
    return offsets.filter(old), offsets.filter(dead)


def compact(path: str, topic: str, firsts: Mapping[int, int], parts: list[Part], now_ms: int) -> None:
    """Do what was planned, in one commit; nothing if there is nothing to do. `firsts` are the topic's first offsets.

    Raises Refused when another run was faster, OSError and deltalake's DeltaError from the store.
    """
    marks = {f"first:{topic}:{partition}": first for partition, first in firsts.items()}
    for part in (part for part in parts if part.newly_met):
        marks |= {f"tombstones:{topic}:{part.partition}": part.until}
        marks |= {f"tombstones_time:{topic}:{part.partition}": now_ms}
    marks |= {f"compacted:{topic}:{part.partition}": part.until for part in parts if part.superseded + part.tombstones}
    if not any(part.newly_met or part.superseded or part.tombstones for part in parts):
        return
    with rewrite.Change(marks=marks) as change:
        for part in parts:
            # Files side by side that lose records become one: compaction leaves little of each.
            for changed, together in groupby(part.files, key=lambda file: file[1] is not None):
                if changed:
                    old, leaving = zip(*together, strict=True)
                    change.old += old
                    change.new.append(PartitionFiles(path, topic, part.partition, 0))
                    rewrite.copy(path, old, change.new[-1], partial(_stays, pa.chunked_array(leaving)))
                    change.new[-1].close()
        said = {"compaction": {str(part.partition): part.superseded + part.tombstones for part in parts}}
        rewrite.commit(path, topic, change, said)


def _stays(leaving: pa.ChunkedArray, rows: pa.Table) -> pa.Array:
    return pc.invert(pc.is_in(rows["offset"], value_set=leaving))


def tombstones_ms(duration: str) -> int:
    """A length of time such as TOMBSTONES_FOR in milliseconds. Raises ValueError if it is none."""
    return 1000 * durations.seconds(duration)
