"""Compaction: the latest value of each key is the same before and after, and nothing else goes than what may.

What must stay is worked out in a few lines of plain Python.
"""

import tempfile
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.log.archive import compaction, retention
from jobs.log.archive.snapshot import Snapshot, records
from jobs.log.archive.stream import ArchiveReader
from jobs.log.archive.writer import append
from jobs.running.errors import Refused

DAY_MS = 86_400_000
NOW = 1_800_000_000_000


class Record(NamedTuple):
    """Without an offset: it is the place in the list."""

    key: bytes | None
    value: bytes | None


Kept = dict[int, Record]
"""By offset."""


def fill(path: str, given: list[Record]) -> None:
    columns = {
        "key": pa.array([record.key for record in given], pa.binary()),
        "value": pa.array([record.value for record in given], pa.binary()),
        "timestamp": pa.array(range(len(given)), pa.timestamp("us", "UTC")),
    }
    append(path, "t", 1, [pa.record_batch(columns)])


def held(path: str) -> Kept:
    rows = records(path, "t", 0, 0, 10**9).to_pylist()
    return {row["offset"]: Record(row["key"], row["value"]) for row in rows}


def compact(path: str, until: int, now_ms: int = NOW, wait_ms: int = DAY_MS) -> list[compaction.PartitionPlan]:
    parts = compaction.plan(path, "t", {0: until}, now_ms, wait_ms)
    compaction.compact(path, "t", Snapshot(path, "t").refresh().firsts(), parts, now_ms)
    return parts


def latest(kept: Kept) -> dict[bytes, bytes]:
    """The table of the last value of each key; a tombstone deletes."""
    table: dict[bytes, bytes] = {}
    for _, (key, value) in sorted(kept.items()):
        if key is not None and value is not None:
            table[key] = value
        elif key is not None:
            table.pop(key, None)
    return table


def expected(log: Kept, until: int, dead_until: int) -> Kept:
    """Those that stay."""
    last = {record.key: offset for offset, record in sorted(log.items())}
    stay = {}
    for offset, record in log.items():
        superseded = record.key is not None and offset < min(until, last[record.key])
        dead = record.key is not None and record.value is None and offset == last[record.key] and offset < dead_until
        if not superseded and not dead:
            stay[offset] = record
    return stay


RECORD = st.builds(
    Record, st.sampled_from([b"a", b"b", b"c", None]), st.one_of(st.none(), st.binary(max_size=2), st.just(b"v"))
)
APPENDS = st.lists(st.lists(RECORD, min_size=1, max_size=12), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(APPENDS, st.integers(0, 50), st.integers(0, 50), st.lists(RECORD, min_size=1, max_size=8))
def test_the_latest_values_are_the_same_at_any_cut(
    appends: list[list[Record]], until: int, later: int, more: list[Record]
) -> None:
    with tempfile.TemporaryDirectory() as path:
        for given_ in appends:
            fill(path, given_)
        log: Kept = dict(enumerate(record for given_ in appends for record in given_))
        until = min(until, len(log))
        assert held(path) == log
        compact(path, until)
        once = expected(log, until, dead_until=0)
        assert held(path) == once
        assert latest(once) == latest(log)
        version = DeltaTable(path).version()
        compact(path, until)
        assert held(path) == once, "twice is the same as once"
        assert DeltaTable(path).version() == version
        # A day later, with more records, and read further: tombstones that were met may go, if all have read them.
        fill(path, more)
        new = {len(log) + place: record for place, record in enumerate(more)}
        log |= new
        then = min(later, len(log))
        compact(path, then, NOW + DAY_MS)
        assert held(path) == expected(once | new, then, dead_until=min(until, then))
        assert latest(held(path)) == latest(log)
        snapshot = Snapshot(path, "t").refresh()
        assert (snapshot.firsts(), snapshot.ends) == ({0: 0}, {0: len(log)})


def test_a_tombstone_waits_from_the_compaction_that_met_it_first(tmp_path: Path) -> None:
    path = str(tmp_path)
    fill(path, [Record(b"a", b"1"), Record(b"a", None)])
    tombstone = {1: Record(b"a", None)}
    for now in (NOW, NOW + 1, NOW + DAY_MS - 1):
        compact(path, 2, now)
        assert held(path) == tombstone
    compact(path, 1, NOW + DAY_MS)
    assert held(path) == tombstone, "somebody has not read it"
    (part,) = compact(path, 2, NOW + DAY_MS)
    assert (held(path), part.tombstones) == ({}, 1)
    fill(path, [Record(b"a", b"2")])
    assert held(path) == {2: Record(b"a", b"2")}, "its offset is not given out again"


def test_records_without_a_key_all_stay(tmp_path: Path) -> None:
    log = [Record(None, b"x"), Record(None, None), Record(None, b"x"), Record(b"", b"y"), Record(b"", b"z")]
    fill(str(tmp_path), log)
    for now in (NOW, NOW + 2 * DAY_MS):
        compact(str(tmp_path), 5, now)
    assert held(str(tmp_path)) == {place: log[place] for place in (0, 1, 2, 4)}


def test_a_reader_takes_the_gaps_as_no_loss(tmp_path: Path) -> None:
    path = str(tmp_path)
    fill(path, [Record(b"a", b"%d" % number) for number in range(10)] + [Record(b"b", b"only")])
    compact(path, 11)
    log = Snapshot(path, "t").refresh()
    assert (log.firsts(), log.ends) == ({0: 0}, {0: 11})
    source = ArchiveReader({"path": path, "topic": "t"})
    for start in (0, 3, 9):
        (split,) = source.partitions({"0": start}, {"0": 11})
        assert [o for batch in source.read(split) for o in batch["offset"].to_pylist()] == [9, 10]
    retention.remove(path, "t", {0: 10})
    assert Snapshot(path, "t").refresh().firsts() == {0: 10}
    compact(path, 11)
    assert Snapshot(path, "t").refresh().firsts() == {0: 10}


def test_files_that_lose_records_become_one_and_the_others_are_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path)
    for key in (b"a", b"a", b"b", b"c", b"c", b"c"):
        fill(path, [Record(key, b"1"), Record(key, b"2")])
    (part,) = compact(path, 12)
    assert part.superseded == 9
    files = Snapshot(path, "t").refresh().files
    assert held(path) == {3: Record(b"a", b"2"), 5: Record(b"b", b"2"), 11: Record(b"c", b"2")}
    assert [(file.start, file.end, file.records) for file in files] == [(3, 12, 3)]
    fill(path, [Record(b"d", b"1")])
    fill(path, [Record(b"c", b"3")])
    before = {file.path for file in Snapshot(path, "t").refresh().files}
    compact(path, 14)
    files = Snapshot(path, "t").refresh().files
    assert [(file.start, file.end, file.path in before) for file in files] == [(3, 6, False), (12, 13, True),
                                                                               (13, 14, True)]  # fmt: skip


def test_files_that_another_writer_put_together_out_of_order_stay_readable(tmp_path: Path) -> None:
    path = str(tmp_path)
    fill(path, [Record(b"%d" % (number % 4), b"v") for number in range(12)])
    rows = records(path, "t", 0, 0, 100)
    DeltaTable(path).delete()
    for place in ([7, 2, 11, 3, 4], [9, 1, 0, 5, 10, 8, 6]):
        write_deltalake(path, rows.take(place), mode="append")
    compact(path, 10)
    assert sorted(held(path)) == [8, 9, 10, 11]
    assert [(file.start, file.end) for file in Snapshot(path, "t").refresh().files] == [(8, 12)]


def test_an_append_that_came_between_stays(tmp_path: Path) -> None:
    path = str(tmp_path)
    fill(path, [Record(b"a", b"1"), Record(b"a", b"2")])
    parts = compaction.plan(path, "t", {0: 2}, NOW, DAY_MS)
    fill(path, [Record(b"a", b"3")])
    compaction.compact(path, "t", {0: 0}, parts, NOW)
    assert held(path) == {1: Record(b"a", b"2"), 2: Record(b"a", b"3")}
    assert Snapshot(path, "t").refresh().ends == {0: 3}


def test_of_two_at_once_one_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path)
    fill(path, [Record(b"a", b"1"), Record(b"a", b"2")])
    parts = [compaction.plan(path, "t", {0: 2}, NOW, DAY_MS) for _ in range(2)]
    compaction.compact(path, "t", {0: 0}, parts[0], NOW)
    with pytest.raises(Refused, match="another run has changed the same records"):
        compaction.compact(path, "t", {0: 0}, parts[1], NOW)
    assert held(path) == {1: Record(b"a", b"2")}
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_partitions_are_compacted_by_themselves(tmp_path: Path) -> None:
    path = str(tmp_path)
    keys = [b"%d" % (number % 40) for number in range(400)]
    columns = {"key": keys, "value": keys, "timestamp": pa.array(range(400), pa.timestamp("us", "UTC"))}
    append(path, "t", 3, [pa.record_batch(columns)])
    ends = Snapshot(path, "t").refresh().ends
    parts = compaction.plan(path, "t", ends, NOW, DAY_MS)
    compaction.compact(path, "t", dict.fromkeys(ends, 0), parts, NOW)
    kept = [row for part in ends for row in records(path, "t", part, 0, 1000).to_pylist()]
    assert sorted(row["key"] for row in kept) == sorted(set(keys))
    assert sum(part.superseded for part in parts) == 360
    assert Snapshot(path, "t").refresh().ends == ends
