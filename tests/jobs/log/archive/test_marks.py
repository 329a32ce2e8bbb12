"""What the archive stores under a name keeps its name: an archive of years ago is still read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from jobs.log.archive import marks
from jobs.log.archive.data_file import covers_footer, parse_covers
from jobs.log.archive.snapshot import Snapshot
from jobs.log.archive.writer import append

STORED = [
    ("partitions:orders", marks.partitions("orders")),
    ("end:orders:3", marks.end("orders", 3)),
    ("first:orders:3", marks.first("orders", 3)),
    ("compacted:orders:3", marks.compacted_end("orders", 3)),
    ("tombstones:orders:3", marks.tombstones("orders", 3)),
    ("tombstones_time:orders:3", marks.tombstones_time("orders", 3)),
    ("kept:orders", marks.kafka_copy("orders")),
    ("kafka:orders:x7", marks.kafka_topic("orders", "x7")),
    ("covered:orders:3", marks.covered_end("orders", 3)),
    ("fed:orders:clicks_v1:x7", marks.feed_end("orders", "clicks_v1", "x7")),
    ("lost:orders:3:12", marks.loss("orders", 3, 12)),
]


@pytest.mark.parametrize(("stored", "spelled"), STORED, ids=[stored for stored, _ in STORED])
def test_a_mark_keeps_its_name(stored: str, spelled: str) -> None:
    assert spelled == stored


def test_every_mark_is_listed_here() -> None:
    functions = {name for name, value in vars(marks).items() if callable(value)}
    assert len(functions) == len(STORED)


def test_a_snapshot_reads_the_marks_of_the_commit(tmp_path: Path) -> None:
    columns = {"key": [b"a", b"b"], "value": [b"1", b"2"], "timestamp": pa.array([0, 1], pa.timestamp("us", "UTC"))}
    append(str(tmp_path), "orders", 1, [pa.record_batch(columns)])
    table = DeltaTable(str(tmp_path))
    assert [table.transaction_version(name) for name in ("partitions:orders", "end:orders:0")] == [1, 2]
    snapshot = Snapshot(str(tmp_path), "orders").refresh()
    assert (snapshot.mark("end:orders:0"), snapshot.mark("first:orders:0")) == (2, None)
    assert Snapshot(str(tmp_path / "none"), "orders").refresh().mark("end:orders:0") is None


def test_a_footer_says_which_offsets_were_read(tmp_path: Path) -> None:
    with pq.ParquetWriter(tmp_path / "file", pa.schema([("offset", pa.int64())])) as writer:
        writer.add_key_value_metadata(covers_footer(5, 12))
    footer = pq.read_metadata(tmp_path / "file").metadata
    assert footer[b"headrace.covers"] == b"5-12"
    assert parse_covers(footer) == (5, 12)
    assert parse_covers({b"other": b"5-12"}) is parse_covers(None) is None
