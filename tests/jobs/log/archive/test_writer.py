"""The producer: offsets without gap or double whoever appends at once, and nothing written when something is wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from jobs.log.archive import file_writer, writer
from jobs.log.archive.snapshot import extents, records
from jobs.log.archive.writer import Appended, append
from jobs.running.errors import Refused

TOPIC = "t"


def batch(values: list[str], keys: list[str | None] | None = None, first_ms: int = 0) -> pa.RecordBatch:
    times = [1000 * (first_ms + place) for place in range(len(values))]
    return pa.record_batch(
        {
            "key": pa.array([key.encode() if key else None for key in keys or values], pa.binary()),
            "value": pa.array([value.encode() for value in values], pa.binary()),
            "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )


def held(path: Path, topic: str = TOPIC) -> dict[int, list[tuple[int, str]]]:
    """{partition: [(offset, value)]} as the source reads it."""
    found = {}
    for end in extents(str(path), topic):
        rows = records(str(path), topic, end.partition, 0, 10**9).to_pylist()
        found[end.partition] = [(row["offset"], row["value"].decode()) for row in rows]
    return found


def data_files(path: Path) -> list[Path]:
    return list(path.rglob("*.parquet"))


def test_records_that_are_appended_once_are_not_appended_again(tmp_path: Path) -> None:
    path = str(tmp_path)
    assert append(path, TOPIC, 1, [batch(["a", "b"])], once=("fed:t:r_v1", 7)).records == 2
    for number in (7, 3):
        assert append(path, TOPIC, 1, [batch(["a", "b"])], once=("fed:t:r_v1", number)) == Appended(0, {})
    assert append(path, TOPIC, 1, [batch(["c"])], once=("fed:t:r_v1", 8)).ranges == {0: (2, 3)}
    assert append(path, TOPIC, 1, [batch(["c"])], once=("fed:t:other_v1", 8)).records == 1
    assert held(tmp_path) == {0: [(0, "a"), (1, "b"), (2, "c"), (3, "c")]}
    assert len(data_files(tmp_path)) == 3, "files of what was not appended are gone"


def test_records_keep_their_order_in_a_partition_and_keys_stay_together(tmp_path: Path) -> None:
    first = [f"{number % 7}:{number}" for number in range(100)]
    second = [f"{number % 7}:{number}" for number in range(100, 150)]
    append(str(tmp_path), TOPIC, 3, [batch(first, [value[0] for value in first])])
    done = append(str(tmp_path), TOPIC, None, [batch(second, [value[0] for value in second])])
    rows = held(tmp_path)
    assert done.records == 50
    for key in map(str, range(7)):
        homes = [number for number, part in rows.items() if any(value.startswith(key) for _, value in part)]
        assert len(homes) == 1
        kept = [value for _, value in rows[homes[0]] if value.startswith(key)]
        assert kept == [value for value in first + second if value.startswith(key)]
    for part in rows.values():
        assert [offset for offset, _ in part] == list(range(len(part)))


def test_records_without_a_key_go_round(tmp_path: Path) -> None:
    append(str(tmp_path), TOPIC, 2, [batch(["a", "b", "c"], [None] * 3), batch(["d", "e"], [None] * 2)])
    assert held(tmp_path) == {0: [(0, "a"), (1, "c"), (2, "e")], 1: [(0, "b"), (1, "d")]}


def test_the_number_of_partitions_is_fixed(tmp_path: Path) -> None:
    append(str(tmp_path), TOPIC, 8, [batch(["a"])])
    with pytest.raises(Refused, match="has 8 partitions, not 4"):
        append(str(tmp_path), TOPIC, 4, [batch(["b"])])
    append(str(tmp_path), TOPIC, None, [batch(["c"])])
    append(str(tmp_path), "other", None, [batch(["d"])])
    assert len(extents(str(tmp_path), TOPIC)) == 8
    assert len(extents(str(tmp_path), "other")) == 4


@pytest.mark.parametrize("topic", ["", ".", "..", "a/b", "a b", "../a", "ä", "a\n", "x" * 250])
def test_names_that_are_no_topic_are_refused(tmp_path: Path, topic: str) -> None:
    with pytest.raises(Refused, match="name"):
        append(str(tmp_path), topic, None, [batch(["a"])])


def test_nothing_is_written_when_the_input_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        for _ in range(3):
            yield batch([str(number) for number in range(70_000)])
        raise Refused("bad line")

    with pytest.raises(Refused, match="bad line"):
        append(str(tmp_path / "a"), TOPIC, None, failing())
    assert data_files(tmp_path) == []
    assert extents(str(tmp_path / "a"), TOPIC) == []


def test_what_was_committed_before_the_failure_stays_when_asked_for(tmp_path: Path) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield batch(["a", "b"])
        yield batch(["c", "d"])
        yield batch(["e"])
        raise Refused("bad line")

    with pytest.raises(Refused, match="bad line"):
        append(str(tmp_path), TOPIC, 1, failing(), records_per_commit=2)
    assert held(tmp_path) == {0: list(enumerate("abcd"))}


def test_no_records_write_nothing(tmp_path: Path) -> None:
    assert append(str(tmp_path / "a"), TOPIC, None, []) == Appended(0, {})
    assert not (tmp_path / "a").exists()


def test_a_commit_in_between_moves_the_offsets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other commit lands between reading the ends and committing; the store refuses ours, which tries again."""
    append(str(tmp_path), TOPIC, 1, [batch(["first"])])
    ours, interfered = writer._write, list[bool]()

    def late(table: DeltaTable, topic: str, count: int, written: list[file_writer.NewFile], once: None) -> None:
        if not interfered:
            interfered.append(True)
            other = file_writer.PartitionFiles(str(tmp_path), TOPIC, 0, 1)
            other.add(writer._normalize(batch(["theirs 1", "theirs 2"])))
            other.close()
            ours(DeltaTable(str(tmp_path)), topic, count, other.written, once)
        ours(table, topic, count, written, once)

    monkeypatch.setattr(writer, "_write", late)
    done = append(str(tmp_path), TOPIC, None, [batch(["mine 1", "mine 2"])])
    assert interfered
    assert done.ranges == {0: (3, 5)}
    assert held(tmp_path) == {0: list(enumerate(["first", "theirs 1", "theirs 2", "mine 1", "mine 2"]))}
    assert len(data_files(tmp_path)) == 3


PRODUCER = """
import sys, pyarrow as pa
from jobs.log.archive.writer import append
path, name = sys.argv[1:]
for commit in range(5):
    values = [f"{name}:{commit}:{number}".encode() for number in range(20)]
    times = pa.array([0] * 20, pa.timestamp("us", "UTC"))
    append(path, "t", 2, [pa.record_batch({"key": pa.array(values, pa.binary()), "value": values, "timestamp": times})])
"""


@pytest.mark.slow
def test_two_producers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    running = [subprocess.Popen([sys.executable, "-c", PRODUCER, str(path), name]) for name in "ab"]
    assert [process.wait(120) for process in running] == [0, 0]
    rows = held(path)
    for part in rows.values():
        assert [offset for offset, _ in part] == list(range(len(part)))
        for name in "ab":
            order = [tuple(map(int, value.split(":")[1:])) for _, value in part if value.startswith(name)]
            assert order == sorted(order)
    written = sorted(value for part in rows.values() for _, value in part)
    assert written == sorted(
        f"{name}:{commit}:{number}" for name in "ab" for commit in range(5) for number in range(20)
    )


def test_offsets_are_not_given_out_twice_when_files_were_deleted(tmp_path: Path) -> None:
    append(str(tmp_path), TOPIC, 1, [batch(["a", "b"])])
    DeltaTable(str(tmp_path)).delete()
    assert append(str(tmp_path), TOPIC, None, [batch(["c"])]).ranges == {0: (2, 3)}


def test_marks_survive_a_checkpoint_and_the_log_has_one(tmp_path: Path) -> None:
    for number in range(12):
        append(str(tmp_path), TOPIC, 1, [batch([str(number)])])
    assert (tmp_path / "_delta_log" / "_last_checkpoint").exists()
    assert DeltaTable(str(tmp_path)).transaction_version("end:t:0") == 12
    assert held(tmp_path) == {0: [(number, str(number)) for number in range(12)]}


def test_the_table_is_plain_and_says_what_it_holds(tmp_path: Path) -> None:
    count = 150_000
    append(str(tmp_path), TOPIC, 1, [batch(["x"] * count, first_ms=5)])
    table = DeltaTable(str(tmp_path))
    protocol = table.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert table.metadata().partition_columns == ["topic", "partition"]
    said = json.loads(table.history(1)[0]["userMetadata"])
    assert said == {"topic": "t", "offsets": {"0": [0, count - 1]}}
    action = pa.table(table.get_add_actions(flatten=True)).to_pylist()[0]
    assert (action["min.offset"], action["max.offset"], action["num_records"]) == (0, count - 1, count)
    (file,) = data_files(tmp_path)
    footer = pq.ParquetFile(file).metadata
    assert [footer.row_group(group).num_rows for group in range(3)] == [65_536, 65_536, count - 2 * 65_536]
    statistics = footer.row_group(1).column(2).statistics
    assert (statistics.min, statistics.max) == (65_536, 131_071)


def test_headers_and_tombstones_come_back(tmp_path: Path) -> None:
    headers = [[{"key": "trace", "value": b"\x00"}]]
    given = pa.record_batch(
        {
            "key": pa.array([b"k"], pa.binary()),
            "value": pa.array([None], pa.binary()),
            "timestamp": pa.array([1], pa.timestamp("us", "UTC")),
            "headers": pa.array(headers, pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
        }
    )
    append(str(tmp_path), TOPIC, 1, [given])
    (row,) = records(str(tmp_path), TOPIC, 0, 0, 5).to_pylist()
    assert (row["key"], row["value"], row["headers"], row["timestampType"]) == (b"k", None, headers[0], 0)
