"""A commit of the archive is made once, whatever the store answers, or not at all."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from jobs.log.archive import transaction
from jobs.log.archive.file_writer import NewFile, PartitionFiles
from jobs.log.archive.snapshot import Snapshot, records
from jobs.running.errors import Refused


@pytest.fixture
def files(tmp_path: Path) -> list[NewFile]:
    """One file with three records, part of no table yet."""
    columns = {
        "key": pa.array([b"k"] * 3, pa.binary()),
        "value": pa.array([b"a", b"b", b"c"], pa.binary()),
        "timestamp": pa.array([0, 1, 2], pa.timestamp("us", "UTC")),
        "headers": pa.nulls(3, pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
    }
    writer = PartitionFiles(str(tmp_path), "t", 0, 0)
    writer.add(pa.record_batch(columns))
    writer.close()
    return writer.written


def commit(log: Snapshot, files: list[NewFile]) -> None:
    transaction.commit_files(log.table, "t", files, {"partitions:t": 1, "end:t:0": 3}, {"read": {}})


def test_a_commit_that_came_through_but_seemed_to_fail_is_not_made_again(tmp_path: Path, files: list[NewFile]) -> None:
    attempts = []

    def write(log: Snapshot) -> None:
        attempts.append(log.ends)
        commit(log, files)
        raise CommitFailedError("the answer of the store was lost")

    transaction.retry_on_conflict(str(tmp_path), "t", lambda: files, write)
    assert attempts == [{}]
    assert records(str(tmp_path), "t", 0, 0, 10)["value"].to_pylist() == [b"a", b"b", b"c"]
    assert DeltaTable(str(tmp_path)).version() == 1, "one creates the table, one adds the file"


def test_each_attempt_sees_the_topic_as_it_is_by_then(tmp_path: Path, files: list[NewFile]) -> None:
    seen = []

    def write(log: Snapshot) -> None:
        seen.append(log.mark("end:t:0"))
        if len(seen) < 3:
            marks = {"partitions:t": 1, "end:t:0": len(seen)}
            transaction.commit_files(DeltaTable(str(tmp_path)), "t", [], marks, {})  # somebody else
        commit(log, files)

    transaction.retry_on_conflict(str(tmp_path), "t", lambda: files, write)
    assert seen == [None, 1, 2]
    assert Snapshot(str(tmp_path), "t").refresh().ends == {0: 3}


def test_who_always_comes_too_late_is_refused(
    tmp_path: Path, files: list[NewFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "WAIT_SECONDS", 0)
    attempts = []

    def write(_: Snapshot) -> None:
        attempts.append(1)
        raise CommitFailedError("somebody was faster")

    with pytest.raises(Refused, match="other producers were faster 50 times; nothing was written"):
        transaction.retry_on_conflict(str(tmp_path), "t", lambda: files, write)
    assert len(attempts) == 50
    assert Snapshot(str(tmp_path), "t").refresh().files == []
