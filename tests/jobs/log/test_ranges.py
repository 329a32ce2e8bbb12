"""Ranges are shared out whole, and blocks keep every record within their bounds."""

import pickle
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.log import ranges
from jobs.log.archive import retention
from jobs.log.archive.range_reader import ArchiveRanges
from jobs.log.archive.writer import append
from jobs.log.ranges import Range
from jobs.running.errors import Refused
from tests.jobs.keeping import readings

LOG = readings.log(seed=2, each=40)


@given(st.lists(st.integers(1, 1000), max_size=12), st.integers(1, 5))
def test_each_range_is_in_one_part_and_no_part_is_much_longer_than_it_must_be(lengths: list[int], tasks: int) -> None:
    whole = [Range(partition, 5, 5 + length) for partition, length in enumerate(lengths)]
    parts = ranges.share(whole, tasks)
    assert sorted((each for part in parts for each in part), key=lambda each: each.partition) == whole
    assert len(parts) == min(tasks, len(lengths)) and all(parts)
    longest = max((sum(each.offsets for each in part) for part in parts), default=0)
    assert longest <= sum(lengths) / tasks + max(lengths, default=0)


@given(st.lists(st.integers(1, 40), max_size=20), st.integers(1, 64), st.integers(8, 400))
def test_blocks_have_all_records_in_order_and_end_at_their_bounds(sizes: list[int], most: int, most_bytes: int) -> None:
    numbers = iter(range(10_000))
    chunks = [pa.record_batch({"n": pa.array([next(numbers) for _ in range(size)], pa.int64())}) for size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "BLOCK_RECORDS", most)
        patch.setattr(ranges, "BLOCK_BYTES", most_bytes)
        blocks = list(ranges.join_blocks(iter(chunks)))
    assert [number for block in blocks for number in block["n"].to_pylist()] == list(range(sum(sizes)))
    assert all(len(block) <= max(most, *sizes) for block in blocks)
    assert all(8 * len(block) < most_bytes + 8 * max(sizes) for block in blocks)


def test_ranges_of_the_archive_are_its_records_read_by_a_copy_that_a_task_gets(tmp_path: Path) -> None:
    append(f"{tmp_path}/log", "readings", readings.PARTITIONS, [readings.batch(LOG[:60]), readings.batch(LOG[60:])], 25)
    reader = ArchiveRanges(f"{tmp_path}/log", "readings")
    ends = {part: sum(record.partition == part for record in LOG) for part in range(readings.PARTITIONS)}
    planned = reader.plan({0: 7}, ends | {1: 11})
    assert [(each.partition, each.start, each.end) for each in planned] == [
        (0, 7, ends[0]),
        (1, 0, 11),
        (2, 0, ends[2]),
    ]
    blocks = list(pickle.loads(pickle.dumps(reader)).read(planned, ["partition", "offset", "value"]))
    found = [tuple(row.values()) for block in blocks for row in block.to_pylist()]
    assert found == [
        (record.partition, record.offset, record.value)
        for each in planned
        for record in sorted((one for one in LOG if one.partition == each.partition), key=lambda one: one.offset)
        if each.start <= record.offset < each.end
    ]


def test_records_of_the_archive_that_retention_took_before_they_were_read_are_refused(tmp_path: Path) -> None:
    append(f"{tmp_path}/log", "readings", readings.PARTITIONS, [readings.batch(LOG)], 20)
    reader = ArchiveRanges(f"{tmp_path}/log", "readings")
    retention.remove(f"{tmp_path}/log", "readings", {0: 10})
    with pytest.raises(Refused, match=r"partition 0 of topic readings .* no longer has the offsets 3 to 9"):
        reader.plan({0: 3, 1: 0, 2: 0}, {0: 20, 1: 20, 2: 20})
    assert reader.plan({}, {0: 5, 1: 20})[0].partition == 1, "a first run begins behind them"
