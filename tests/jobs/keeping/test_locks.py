"""Two runs of one result: the second is refused, also where the folder is on object storage, which has no locks."""

import tempfile
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.keeping import locks
from jobs.running.errors import Refused


@pytest.mark.parametrize("place", ["local", "object storage"])
def test_the_second_run_is_refused_and_another_result_is_not(
    place: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = str(tmp_path / "checkpoints") if place == "local" else "s3://bucket/checkpoints"
    with locks.exclusive_run(spark, folder, "one_v1"):
        with (
            pytest.raises(Refused, match=r"one_v1 is running already \(process \d+\)"),
            locks.exclusive_run(spark, folder, "one_v1"),
        ):
            pass
        with locks.exclusive_run(spark, folder, "other_v1"), locks.exclusive_run(spark, f"{folder}-2", "one_v1"):
            pass
    with locks.exclusive_run(spark, folder, "one_v1"):
        pass
    assert list(tmp_path.rglob("one_v1.lock"))
