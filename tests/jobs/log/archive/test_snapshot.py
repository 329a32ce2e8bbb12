"""The archive as a log: every record once, in order, however it is cut; the oracle is a list."""

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.streaming.datasource import ReadAllAvailable, ReadMaxRows

from jobs.log import home
from jobs.log.archive import snapshot
from jobs.log.archive.data_file import ArchiveError, DataFile
from jobs.log.archive.file_reader import batches
from jobs.log.archive.stream import ArchiveReader
from jobs.log.archive.writer import append
from jobs.log.offsets import batch_ends, parse_offsets, parse_time
from jobs.running.errors import Refused
from jobs.running.places import Places
from schemas.archive import COLUMNS
from tests.jobs.log.another_writer import Row, fill


def reader(path: Path, **options: str) -> ArchiveReader:
    return ArchiveReader({"path": str(path), "topic": "t", **options})


def drain(source: ArchiveReader, limit: int | None) -> list[list[Row]]:
    """The rows of each batch, as Spark would ask for them until nothing is new."""
    start, found = source.initialOffset(), list[list[Row]]()
    while True:
        end = source.latestOffset(start, ReadAllAvailable() if limit is None else ReadMaxRows(limit))
        if end == start:
            return found
        rows = []
        for split in source.partitions(start, end):
            for batch in source.read(split):
                assert batch.schema == to_arrow_schema(COLUMNS, timezone="UTC")
                rows += [(row["partition"], row["offset"], row["value"].decode()) for row in batch.to_pylist()]
        found.append(rows)
        start = end


def numbered(offsets: dict[int, list[int]]) -> list[Row]:
    return [(partition, offset, f"{partition}/{offset}") for partition in offsets for offset in offsets[partition]]


@given(
    st.dictionaries(st.integers(0, 5), st.tuples(st.integers(0, 500), st.integers(0, 500)).map(sorted), min_size=1),
    st.integers(1, 300),
)
def test_any_cut_covers_every_offset_once(spans: dict[int, list[int]], limit: int) -> None:
    at = {partition: low for partition, (low, _) in spans.items()}
    ends = {partition: high for partition, (_, high) in spans.items()}
    while at != ends:
        to = batch_ends(at, ends, limit)
        steps = {partition: to[partition] - at[partition] for partition in at}
        assert all(step >= (1 if at[partition] < ends[partition] else 0) for partition, step in steps.items())
        assert all(to[partition] <= ends[partition] for partition in to)
        assert sum(steps.values()) <= limit + len(steps)
        at = to


def test_the_share_is_in_proportion_to_the_backlog() -> None:
    assert batch_ends({0: 0, 1: 100, 2: 0}, {0: 900, 1: 200, 2: 0}, 100) == {0: 90, 1: 110, 2: 0}
    assert batch_ends({0: 0}, {0: 10**6, 1: 1}, 100) == {0: 100, 1: 1}
    assert batch_ends({0: 5}, {0: 50}, None) == {0: 50}


@pytest.mark.parametrize("limit", [None, 1, 3, 7, 1000])
def test_each_record_once_and_in_order(tmp_path: Path, limit: int | None) -> None:
    """Gaps, several files a partition, another topic in the same table."""
    first, second = {0: [0, 1, 4, 9], 1: [3, 5]}, {0: [10, 30], 1: [6, 7, 8], 3: [0]}
    fill(tmp_path, numbered(first))
    fill(tmp_path, numbered(second))
    fill(tmp_path, [(0, 2, "not mine")], topic="other")
    rows = [row for batch in drain(reader(tmp_path), limit) for row in batch]
    for partition in (0, 1, 2, 3):
        expected = [row for row in numbered(first) + numbered(second) if row[0] == partition]
        assert [row for row in rows if row[0] == partition] == expected


def test_files_put_together_out_of_order_are_read_in_order(tmp_path: Path) -> None:
    fill(tmp_path, numbered({0: [7, 8, 2, 3]}))
    fill(tmp_path, numbered({0: [1, 5, 9]}))
    rows = [row for batch in drain(reader(tmp_path), 4) for row in batch]
    assert rows == numbered({0: [1, 2, 3, 5, 7, 8, 9]})


def test_an_offset_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path, numbered({0: [1, 2]}))
    fill(tmp_path, numbered({0: [2, 3]}))
    with pytest.raises(ArchiveError, match="twice"):
        drain(reader(tmp_path), None)


@given(st.lists(st.integers(0, 60), unique=True, min_size=1), st.integers(0, 65), st.integers(0, 65))
def test_a_slice_is_exact_over_row_groups(offsets: list[int], low: int, high: int) -> None:
    offsets = sorted(offsets)
    with tempfile.TemporaryDirectory() as folder:
        moment = datetime(2013, 1, 1, tzinfo=UTC)
        table = pa.table(
            {
                "key": pa.nulls(len(offsets), pa.binary()),
                "value": [str(offset).encode() for offset in offsets],
                "offset": offsets,
                "timestamp": pa.array([moment] * len(offsets), pa.timestamp("us", "UTC")),
                "timestampType": pa.nulls(len(offsets), pa.int32()).fill_null(0),
                "headers": pa.nulls(len(offsets), to_arrow_schema(COLUMNS, timezone="UTC").field("headers").type),
            }
        )
        pq.write_table(table, f"{folder}/f.parquet", row_group_size=7)
        file = DataFile(folder, "f.parquet", 0, offsets[0], offsets[-1] + 1, len(offsets), moment, moment)
        found = [offset for batch in batches([file], "t", 0, low, high) for offset in batch["offset"].to_pylist()]
    assert found == [offset for offset in offsets if low <= offset < high]


def test_a_start_is_offsets_of_each_partition_or_a_word() -> None:
    firsts, ends = {0: 5, 1: 0}, {0: 20, 1: 9}
    assert parse_offsets("earliest", "t", firsts, ends) == firsts
    assert parse_offsets("latest", "t", firsts, ends) == ends
    assert parse_offsets('{"t": {"0": 12}}', "t", firsts, ends) == {0: 12, 1: 0}
    assert parse_offsets('{"t": {"0": -1, "1": -2}}', "t", firsts, ends) == {0: 20, 1: 0}


NONSENSE = ["newest", "[]", "{", '{"t": 4}', '{"u": {"0": 1}}', '{"t": {"7": 1}}', '{"t": {"x": 1}}']
WRONG_OFFSETS = ['{"t": {"0": 21}}', '{"t": {"0": -3}}', '{"t": {"0": "1"}}', '{"t": {"0": true}}']


@pytest.mark.parametrize("option", [*NONSENSE, *WRONG_OFFSETS])
def test_starting_offsets_that_make_no_sense(option: str) -> None:
    with pytest.raises(ValueError, match="startingOffsets"):
        parse_offsets(option, "t", {0: 5}, {0: 20})


def test_starting_timestamp_finds_the_first_record_that_late(tmp_path: Path) -> None:
    times = [10, 50, 20, 60, 70]
    fill(tmp_path, numbered({0: [0, 1, 2]}), times_ms=times[:3])
    fill(tmp_path, numbered({0: [3, 4]}), times_ms=times[3:])
    fill(tmp_path, numbered({1: [4, 5]}), times_ms=[1, 2])
    for instant in (0, 10, 11, 50, 51, 60, 70, 71):
        late = [offset for offset, time in enumerate(times) if time >= instant]
        begun = reader(tmp_path, startingTimestamp=str(instant)).initialOffset()
        assert begun["0"] == (late[0] if late else 5)
        assert begun["1"] == (4 if instant == 0 else 6)
    iso = reader(tmp_path, startingTimestamp="1970-01-01T01:00:00.050+01:00").initialOffset()
    assert iso == {"0": 1, "1": 6}


@pytest.mark.parametrize("option", ["2013-01-01T00:00:00", "yesterday", "", "9" * 30, "-1"])
def test_starting_timestamps_that_make_no_sense(option: str) -> None:
    with pytest.raises(ValueError, match="startingTimestamp"):
        parse_time(option)


def test_a_topic_that_comes_later(tmp_path: Path) -> None:
    source = reader(tmp_path / "none")
    assert source.initialOffset() == {}
    assert source.latestOffset({}, ReadAllAvailable()) == {}
    assert source.reportLatestOffset() is None
    fill(tmp_path / "none", numbered({0: [0, 1]}))
    assert source.latestOffset({}, ReadAllAvailable()) == {"0": 2}
    assert len(source.partitions({}, {"0": 2})) == 1


def test_available_now_does_not_go_past_where_it_began(tmp_path: Path) -> None:
    fill(tmp_path, numbered({0: [0, 1]}))
    source = reader(tmp_path, maxOffsetsPerTrigger="1")
    assert source.getDefaultReadLimit() == ReadMaxRows(1)
    source.prepareForTriggerAvailableNow()
    fill(tmp_path, numbered({0: [2], 1: [0]}))
    assert source.latestOffset({"0": 0}, ReadAllAvailable()) == {"0": 2}
    assert source.reportLatestOffset() == {"0": 3, "1": 1}


def test_a_file_that_vanished_is_an_error_not_a_gap(tmp_path: Path) -> None:
    fill(tmp_path, numbered({0: [0, 1]}))
    (file,) = tmp_path.rglob("*.parquet")
    file.unlink()
    with pytest.raises(ArchiveError, match=r"partition 0, offsets 0 to 1\) is gone"):
        drain(reader(tmp_path), None)


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path, numbered({0: [0, 1]}))
    (file,) = tmp_path.rglob("*.parquet")
    file.write_bytes(b"garbage in here")
    with pytest.raises(ArchiveError, match="damaged"):
        drain(reader(tmp_path), None)


def test_a_log_that_was_set_back_is_an_error(tmp_path: Path) -> None:
    fill(tmp_path, numbered({0: [0, 1]}))
    with pytest.raises(ArchiveError, match="read up to 7: the archive was replaced or set back"):
        reader(tmp_path).latestOffset({"0": 7}, ReadAllAvailable())


@pytest.mark.parametrize("limit", ["0", "-1", "many", "1.5"])
def test_options_that_make_no_sense(tmp_path: Path, limit: str) -> None:
    with pytest.raises(ValueError, match="maxOffsetsPerTrigger"):
        reader(tmp_path, maxOffsetsPerTrigger=limit)
    with pytest.raises(ValueError, match="topic is missing"):
        ArchiveReader({"path": str(tmp_path)})


def test_ends_and_records_for_people(tmp_path: Path) -> None:
    fill(tmp_path, numbered({0: [2, 3], 2: [1]}))
    zero, one, two = snapshot.extents(str(tmp_path), "t")
    assert (zero.first_offset, zero.last_offset, zero.records) == (2, 3, 2)
    assert zero.last_time == datetime(1970, 1, 1, 0, 0, 0, 3000, UTC)
    assert (one.first_offset, one.records, two.first_offset) == (None, 0, 1)
    assert snapshot.records(str(tmp_path), "t", 0, 3, 5)["value"].to_pylist() == [b"0/3"]
    assert len(snapshot.records(str(tmp_path), "t", 0, 0, 1)) == 1
    assert len(snapshot.records(str(tmp_path), "t", 9, 0, 1)) == 0
    assert snapshot.extents(str(tmp_path), "u") == snapshot.extents(str(tmp_path / "none"), "t") == []


def places(path: Path) -> Places:
    return Places(archive=str(path), tables=str(path / "tables"), checkpoints=str(path / "checkpoints"))


def test_spark_reads_the_stream_in_batches_and_goes_on(tmp_path: Path, spark: SparkSession) -> None:
    values = [f"{number}" for number in range(250)]
    moments = pa.array([1_000_000 * number for number in range(250)], pa.timestamp("us", "UTC"))
    keyed = {"key": [value.encode() for value in values], "value": [value.encode() for value in values]}
    append(str(tmp_path / "log"), "t", 3, [pa.record_batch(keyed | {"timestamp": moments})])
    seen: list[list[tuple[int, int, str, datetime]]] = []

    def run() -> None:
        stream = home.read(spark, places(tmp_path / "log"), "t", max_records_per_batch=100)
        query = (
            stream.writeStream.foreachBatch(
                lambda batch, _: seen.append(
                    [(r.partition, r.offset, bytes(r.value).decode(), r.timestamp) for r in batch.collect()]
                )
            )
            .option("checkpointLocation", str(tmp_path / "checkpoint"))
            .trigger(availableNow=True)
            .start()
        )
        query.awaitTermination()

    run()
    assert len(seen) == 3
    assert all(len(batch) <= 103 for batch in seen)
    rows = [row for batch in seen for row in batch]
    assert sorted(int(value) for _, _, value, _ in rows) == list(range(250))
    assert {(p, o) for p, o, _, _ in rows} == {
        (end.partition, offset) for end in snapshot.extents(str(tmp_path / "log"), "t") for offset in range(end.records)
    }
    append(str(tmp_path / "log"), "t", 3, [pa.record_batch(keyed | {"timestamp": moments}).slice(0, 5)])
    run()
    assert sorted(int(value) for batch in seen[3:] for _, _, value, _ in batch) == list(range(5))


def test_read_refuses_what_is_not_there(tmp_path: Path, spark: SparkSession) -> None:
    with pytest.raises(Refused, match=r"topic t has no records in .*: fill it with `headrace produce t"):
        home.read(spark, places(tmp_path), "t")
    fill(tmp_path, numbered({0: [0]}))
    with pytest.raises(Refused, match="startingOffsets"):
        home.read(spark, places(tmp_path), "t", json.dumps({"t": {"0": 2}}))
    with pytest.raises(Refused, match="1 or more"):
        home.read(spark, places(tmp_path), "t", max_records_per_batch=0)
    assert DeltaTable(str(tmp_path)).version() == 0
