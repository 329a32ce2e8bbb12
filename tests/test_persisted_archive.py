"""What the archive stores keeps its names: marks and words of its commits, columns, folders, footers, its lock.

The literals here are what archives on disk have. A change that turns one of these tests red makes them unreadable.
"""

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.log.archive import compaction, kafka_copy, retention, writer
from jobs.log.archive.file_writer import PartitionFiles
from jobs.log.archive.kafka_copy import CopyRange, CopyState
from jobs.log.archive.snapshot import Snapshot
from jobs.log.audit import audit
from jobs.running.places import Places
from tests import delta_log

DAY_MS = 86_400_000


def batch(*keys: bytes | None, **more: pa.Array) -> pa.RecordBatch:
    """Records of these keys; one of the key "dead" is a tombstone."""
    columns = {
        "key": pa.array(keys, pa.binary()),
        "value": pa.array([None if key == b"dead" else b"v" for key in keys], pa.binary()),
        "timestamp": pa.array(range(len(keys)), pa.timestamp("us", "UTC")),
    }
    return pa.record_batch(columns | more)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def test_an_append(path: Path) -> None:
    writer.append(str(path), "some.topic", 2, [batch(b"a", b"b", b"c", b"d")])
    made, appended = delta_log.commits(path)
    assert delta_log.columns(path) == {
        "key": "binary",
        "value": "binary",
        "topic": "string",
        "partition": "integer",
        "offset": "long",
        "timestamp": "timestamp",
        "timestampType": "integer",
        "headers": "array<struct<key string, value binary>>",
    }
    assert delta_log.definition(path)["partitionColumns"] == ["topic", "partition"]
    assert not any("txn" in action for action in made)
    [_, marks] = delta_log.transactions(path)
    ends = {part: marks[f"end:some.topic:{part}"] for part in (0, 1)}
    assert marks == {"partitions:some.topic": 2, "end:some.topic:0": ends[0], "end:some.topic:1": ends[1]}
    assert all(ends.values()) and sum(ends.values()) == 4
    said = {"topic": "some.topic", "offsets": {str(part): [0, end - 1] for part, end in ends.items()}}
    assert delta_log.metadata(path)[1] == said
    files = [action["add"] for action in appended if "add" in action]
    name = r"topic=some\.topic/partition=[01]/part-[0-9a-f-]{36}\.zstd\.parquet"
    assert files and all(re.fullmatch(name, file["path"]) for file in files)
    assert all(file["partitionValues"].keys() == {"topic", "partition"} for file in files)
    footer = pq.read_metadata(path / files[0]["path"])
    assert footer.schema.to_arrow_schema().names == ["key", "value", "offset", "timestamp", "timestampType", "headers"]
    assert b"headrace.covers" not in footer.metadata
    assert (path / "_producers.lock").exists()


def test_compaction(path: Path) -> None:
    writer.append(str(path), "t", 1, [batch(b"a", b"a", b"dead")])
    parts = compaction.plan(str(path), "t", {0: 3}, 5 * DAY_MS, DAY_MS)
    compaction.compact(str(path), "t", {0: 0}, parts, 5 * DAY_MS)
    assert delta_log.transactions(path)[-1] == {
        "partitions:t": 1,
        "end:t:0": 3,
        "first:t:0": 0,
        "tombstones:t:0": 3,
        "tombstones_time:t:0": 432_000_000,
        "compacted:t:0": 3,
    }
    assert delta_log.metadata(path)[-1] == {"topic": "t", "compaction": {"0": 1}}


def test_retention(path: Path) -> None:
    writer.append(str(path), "t", 1, [batch(b"a", b"b", b"c")])
    retention.remove(str(path), "t", {0: 2})
    assert delta_log.transactions(path)[-1] == {"partitions:t": 1, "end:t:0": 3, "first:t:0": 2}
    assert delta_log.metadata(path)[-1] == {"topic": "t", "retention": {"0": 2}}


def copied(path: Path, **marks: int) -> Path:
    """A copy of offsets 5 to 9 of a topic in Kafka, of which 6 and 8 have a record; the file that has them."""
    files = PartitionFiles(str(path), "t", 0, 0, 5)
    offsets = {"offset": pa.array([6, 8]), "timestampType": pa.array([0, 0], pa.int32())}
    headers = pa.nulls(2, pa.list_(pa.struct({"key": pa.string(), "value": pa.binary()})))
    files.add(batch(b"a", b"b", **offsets, headers=headers))
    files.close(10)
    found = CopyState({}, {}, False)
    kafka_copy.add(str(path), "t", "Ab-c_1", found, CopyRange({0: 5}, {0: 10}, files.written), marks)
    return path / files.written[0].path


def test_a_copy_of_a_topic_of_kafka(path: Path) -> None:
    file = copied(path)
    assert delta_log.transactions(path)[-1] == {
        "kept:t": 1,
        "kafka:t:Ab-c_1": 1,
        "partitions:t": 1,
        "end:t:0": 10,
        "covered:t:0": 10,
    }
    assert delta_log.metadata(path)[-1] == {"topic": "t", "read": {"0": [5, 10]}}
    assert pq.read_metadata(file).metadata[b"headrace.covers"] == b"5-10"
    assert Snapshot(str(path), "t").refresh().is_copy_of("Ab-c_1")
    assert not Snapshot(str(path), "t").refresh().is_copy_of("another")


@pytest.mark.parametrize(
    ("marks", "explained"),
    [
        ({}, {"no committed record when it was read": 3}),
        ({"first:t:0": 6}, {"no committed record when it was read": 2}),
        ({"lost:t:0:7": 8}, {"lost, and accepted": 1, "no committed record when it was read": 2}),
        ({"compacted:t:0": 8}, {"compacted": 2, "no committed record when it was read": 1}),
    ],
)
def test_marks_that_explain_an_offset_without_a_record(
    path: Path, marks: dict[str, int], explained: dict[str, int]
) -> None:
    copied(path, **({"first:t:0": 5} | marks))
    places: Any = Places(archive=str(path), tables=str(path.parent / "t"), checkpoints=str(path.parent / "c"))
    [found] = audit(places, "t")
    assert found.whole and found.explained == explained
