"""Retention: the oldest records go, offsets stay, ends never go back, and whoever had not read them learns of it."""

import json
import random
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs import run
from jobs.keeping import microbatch
from jobs.log.archive import compaction, retention, rewrite, transaction
from jobs.log.archive.data_file import ArchiveError
from jobs.log.archive.file_writer import PartitionFiles
from jobs.log.archive.snapshot import Snapshot, extents, records
from jobs.log.archive.stream import ArchiveReader
from jobs.log.archive.writer import append
from jobs.log.audit import audit
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests import delta
from tests.jobs.keeping import readings
from tests.jobs.keeping.numbered import START, fill
from tests.jobs.keeping.small import RESULT
from tests.jobs.log import another_writer


def offsets(path: Path, partition: int = 0, topic: str = "t") -> list[int]:
    """The offsets that a reader finds, which reads the values as well."""
    return records(str(path), topic, partition, 0, 10**9)["offset"].to_pylist()


def reader(path: Path) -> ArchiveReader:
    return ArchiveReader({"path": str(path), "topic": "t"})


def test_the_front_goes_in_one_commit_and_other_records_stay_as_they_are(tmp_path: Path) -> None:
    for _ in range(3):
        fill(tmp_path, 20, partitions=2)
    fill(tmp_path, 5, topic="other")
    whole = [records(str(tmp_path), "t", partition, 0, 1000).to_pylist() for partition in (0, 1)]
    before = DeltaTable(str(tmp_path)).version()
    retention.remove(str(tmp_path), "t", {0: 13, 1: 0})
    assert DeltaTable(str(tmp_path)).version() == before + 1
    assert records(str(tmp_path), "t", 0, 0, 1000).to_pylist() == [row for row in whole[0] if row["offset"] >= 13]
    assert records(str(tmp_path), "t", 1, 0, 1000).to_pylist() == whole[1]
    assert offsets(tmp_path, topic="other") == list(range(5))
    zero, one = extents(str(tmp_path), "t")
    assert (zero.first_offset, zero.last_offset, zero.records) == (13, 29, 17)
    assert (one.first_offset, one.last_offset, one.records) == (0, 29, 30)
    rows = pa.table(DeltaTable(str(tmp_path)).get_add_actions(flatten=True)).to_pylist()
    assert sum(row["num_records"] for row in rows) == 17 + 30 + 5
    said = json.loads(DeltaTable(str(tmp_path)).history(1)[0]["userMetadata"])
    assert said == {"topic": "t", "retention": {"0": 13, "1": 0}}


def test_ends_never_go_back_and_a_first_offset_neither(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    retention.remove(str(tmp_path), "t", {0: 10})
    assert offsets(tmp_path) == []
    log = Snapshot(str(tmp_path), "t").refresh()
    assert (log.firsts(), log.ends) == ({0: 10}, {0: 10})
    retention.remove(str(tmp_path), "t", {0: 4})
    assert Snapshot(str(tmp_path), "t").refresh().firsts() == {0: 10}
    fill(tmp_path, 3)
    assert offsets(tmp_path) == [10, 11, 12]
    assert reader(tmp_path).initialOffset() == {"0": 10}


def test_ends_of_a_topic_that_another_writer_filled_are_kept_too(tmp_path: Path) -> None:
    another_writer.fill(tmp_path, [(0, offset, "x") for offset in (3, 4, 9)])
    retention.remove(str(tmp_path), "t", {0: 10})
    assert Snapshot(str(tmp_path), "t").refresh().ends == {0: 10}
    fill(tmp_path, 2)
    assert offsets(tmp_path) == [10, 11]


def test_files_that_another_writer_put_together_out_of_order_stay_readable(tmp_path: Path) -> None:
    another_writer.fill(tmp_path, [(0, offset, "x") for offset in (7, 8, 2, 3, 11)])
    another_writer.fill(tmp_path, [(0, offset, "x") for offset in (9, 1, 5, 10)])
    retention.remove(str(tmp_path), "t", {0: 3})
    assert offsets(tmp_path) == [3, 5, 7, 8, 9, 10, 11]
    rows = pa.table(DeltaTable(str(tmp_path)).get_add_actions(flatten=True)).to_pylist()
    assert sorted((row["min.offset"], row["max.offset"]) for row in rows) == [(3, 11), (5, 10)]


def test_a_query_that_was_to_read_them_fails_and_does_not_skip(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    source = reader(tmp_path)
    assert source.latestOffset({"0": 4}, source.getDefaultReadLimit()) == {"0": 10}
    retention.remove(str(tmp_path), "t", {0: 6})
    with pytest.raises(ArchiveError, match=r"no longer has the offsets 4 to 5, which were not read yet") as failed:
        source.partitions({"0": 4}, {"0": 10})
    assert "Run again: the next run says which" in run.explain(failed.value)
    (split,) = source.partitions({"0": 6}, {"0": 10})
    assert [o for batch in source.read(split) for o in batch["offset"].to_pylist()] == [6, 7, 8, 9]
    assert source.partitions({"0": 4}, {"0": 4}) == []


def test_a_slice_that_was_planned_before_is_still_read(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    source = reader(tmp_path)
    (split,) = source.partitions({"0": 4}, {"0": 10})
    retention.remove(str(tmp_path), "t", {0: 10})
    assert rewrite.vacuum(str(tmp_path)) == []
    assert [o for batch in source.read(split) for o in batch["offset"].to_pylist()] == [4, 5, 6, 7, 8, 9]


def test_files_are_deleted_after_a_week_and_not_before(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    (old,) = tmp_path.rglob("*.parquet")
    retention.remove(str(tmp_path), "t", {0: 4})
    assert rewrite.vacuum(str(tmp_path)) == []
    week = timedelta(hours=rewrite.VACUUM_HOURS, minutes=5)
    long_ago = int((datetime.now(UTC) - week).timestamp() * 1000)
    commit = tmp_path / "_delta_log" / f"{DeltaTable(str(tmp_path)).version():020}.json"
    lines = [json.loads(line) for line in commit.read_text().splitlines()]
    for line in lines:
        if "remove" in line:
            line["remove"]["deletionTimestamp"] = long_ago
    commit.write_text("\n".join(map(json.dumps, lines)))
    assert [Path(name).name for name in rewrite.vacuum(str(tmp_path))] == [old.name]
    assert offsets(tmp_path) == [4, 5, 6, 7, 8, 9]


def test_an_append_that_came_between_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other commit lands after ours has looked at the table; the store refuses ours, which tries again."""
    fill(tmp_path, 10)
    monkeypatch.setattr(transaction, "producer_lock", lambda _: nullcontext())  # as on object storage
    ours, interfered = rewrite._write, list[bool]()

    def late(log: Snapshot, *more: object) -> None:
        if not interfered:
            interfered.append(True)
            fill(tmp_path, 5)
        ours(log, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(rewrite, "_write", late)
    retention.remove(str(tmp_path), "t", {0: 7})
    assert interfered
    assert offsets(tmp_path) == list(range(7, 15))
    assert Snapshot(str(tmp_path), "t").refresh().ends == {0: 15}


def test_of_two_at_once_one_is_refused_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, 10)
    ours = rewrite.commit

    def late(*arguments: object) -> None:
        monkeypatch.setattr(rewrite, "commit", ours)
        retention.remove(str(tmp_path), "t", {0: 8})
        ours(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(rewrite, "commit", late)
    with pytest.raises(Refused, match="another run has changed the same records"):
        retention.remove(str(tmp_path), "t", {0: 5})
    assert offsets(tmp_path) == [8, 9]
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


PRODUCER = """
import sys
from pathlib import Path
from tests.jobs.keeping.numbered import fill
for _ in range(30):
    fill(Path(sys.argv[1]), 7)
"""


@pytest.mark.slow
def test_beside_a_producer_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    fill(tmp_path, 7)
    producer = subprocess.Popen([sys.executable, "-c", PRODUCER, str(tmp_path)])
    dice, first = random.Random(3), 0
    while producer.poll() is None:
        first = min(first + dice.randrange(9), Snapshot(str(tmp_path), "t").refresh().ends[0])
        retention.remove(str(tmp_path), "t", {0: first})
    assert producer.returncode == 0
    assert first > 0
    assert offsets(tmp_path) == list(range(first, 31 * 7))


def copied(path: Path, offsets: list[int], covers: tuple[int, int]) -> None:
    """A file as jobs/kafka_archive.py writes it: some offsets between those that were read have no record."""
    from jobs.log.archive.file_reader import schema

    rows = [{"key": b"k", "value": b"%d" % n, "offset": n, "timestamp": START, "timestampType": 0} for n in offsets]
    names = ("key", "value", "offset", "timestamp", "timestampType", "headers")
    kinds = pa.schema([schema().field(name) for name in names])
    files = PartitionFiles(str(path), "t", 0, 0, covers[0])
    files.add(pa.RecordBatch.from_pylist(rows, schema=kinds))
    files.close(covers[1])
    marks = {"partitions:t": 1, "end:t:0": covers[1], "kept:t": 1, "covered:t:0": covers[1]}

    def write(log: Snapshot) -> None:
        transaction.commit_files(log.table, "t", files.written, marks, {"read": {}})

    transaction.retry_on_conflict(str(path), "t", lambda: files.written, write)


def test_an_audit_after_it_finds_nothing_wrong(tmp_path: Path, places: Places) -> None:
    """What a copied file says of offsets without a record stays with what is left of it."""
    path = Path(places.archive)
    copied(path, [0, 1, 4, 5], (0, 8))
    copied(path, [9], (8, 12))
    (whole,) = audit(places, "t")
    assert (whole.whole, whole.explained) == (True, {"no committed record when it was read": 12 - 5})
    retention.remove(str(path), "t", {0: 3})
    (rest,) = audit(places, "t")
    assert (rest.whole, rest.start, rest.end, rest.records) == (True, 3, 12, 3)
    assert rest.explained == {"no committed record when it was read": 12 - 3 - 3}
    for until, kept in ((10, [9]), (12, [9])):
        parts = compaction.plan(str(path), "t", {0: until}, 1, 1000)
        compaction.compact(str(path), "t", {0: 3}, parts, 1)
        assert offsets(path) == kept
        (after,) = audit(places, "t")
        assert after.whole
        assert sum(after.explained.values()) == 12 - 3 - 1


class Sized:
    def __init__(self, start: int, end: int, size: int) -> None:
        self.start, self.end, self.bytes = start, end, size


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(0, 200))
def test_by_size_no_less_than_the_limit_stays_and_no_file_more_than_needed(sizes: list[int], limit: int) -> None:
    files = [Sized(10 * place, 10 * place + 10, size) for place, size in enumerate(sizes)]
    gone = retention.by_size(files, limit, 0) // 10
    if gone:
        assert sum(sizes[gone:]) >= limit
    assert gone == len(sizes) or sum(sizes[gone + 1 :]) < limit


def test_a_job_that_had_not_read_them_refuses_and_goes_on_behind_them_when_told_to(
    spark: SparkSession, places: Places
) -> None:
    lines = readings.only_good(readings.log(each=8))
    first, second = [r for r in lines if r.offset < 3], [r for r in lines if r.offset >= 3]

    def keep(accept_loss: bool = False) -> list[str]:
        said: list[str] = []
        microbatch.keep(run.Run(spark, places, accept_loss=accept_loss, say=said.append), RESULT)
        return said

    def counted() -> dict[tuple[object, object], int]:
        rows = delta.rows(places.table(RESULT.name))
        return {(row["window_start"], row["site"]): row["records"] for row in rows}

    def expected(kept: list[readings.Record]) -> dict[tuple[object, object], int]:
        every = readings.windows(kept).items()
        return {(start, site): f["records"] for (name, start, _, site), f in every if name == "tumbling 1 hour"}

    append(places.archive, "readings", readings.PARTITIONS, [readings.batch(first)])
    keep()
    append(places.archive, "readings", None, [readings.batch(second)])
    retention.remove(places.archive, "readings", {0: 5, 1: 3, 2: 0})
    with pytest.raises(Refused, match=r"partition 0, offsets 3 to 4\): retention was faster.*--accept-loss"):
        keep()
    assert counted() == expected(first)
    said = keep(accept_loss=True)
    assert any("lost, and accepted: partition 0, offsets 3 to 4" in line for line in said)
    assert counted() == expected([r for r in lines if (r.partition, r.offset) not in {(0, 3), (0, 4)}])
    gaps = [row for row in delta.rows(places.table(f"{RESULT.name}_ledger")) if row["kind"] == "gap"]
    assert [(dict(row["start_offsets"])[0], dict(row["end_offsets"])[0]) for row in gaps] == [(3, 5)]
