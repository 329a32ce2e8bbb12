"""A result that lives long keeps few files of what is its own, and loses nothing by it."""

import os
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from jobs import run
from jobs.run import Places
from jobs.sinks import archive, commits, housekeeping, microbatch, tables
from jobs.sources import log
from tests import delta
from tests.jobs.sinks import checks, readings
from tests.jobs.sinks.readings import Record

LOG = readings.interleaved(readings.log(each=20), 3)
RESULT = replace(readings.SEEN, max_records_per_batch=6)


class Kept:
    """A result in a folder, as the checks want it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        names = ("archive", "tables", "checkpoints")
        self.spark, self.places = spark, Places(**{name: f"{folder}/{name}" for name in names})
        self.written: list[Record] = []

    def rows(self, suffix: str = "") -> list[dict[str, object]]:
        return delta.rows(self.places.table(RESULT.name + suffix))

    def files(self, suffix: str) -> int:
        return len(list(Path(self.places.table(RESULT.name + suffix)).rglob("*.parquet")))

    def keep(self, records: list[Record], killed_at: str = "") -> None:
        archive.append(self.places.archive, readings.TOPIC.TOPIC, readings.PARTITIONS, [readings.batch(records)])
        self.written += records

        def step(name: str) -> None:
            if name == killed_at:
                raise InterruptedError

        microbatch.keep(run.Run(self.spark, self.places, step=step, say=lambda _: None), RESULT, log)


def test_replaced_filters_and_small_files_of_the_ledger_go_and_a_killed_batch_is_done_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 2)
    monkeypatch.setattr(housekeeping, "KEPT_HOURS", 0)
    kept = Kept(spark, tmp_path)
    kept.keep(LOG[:30])
    filters = DeltaTable(kept.places.table(f"{RESULT.name}_filters"))
    batches = sum(row["kind"] == "batch" for row in kept.rows("_ledger"))
    assert batches >= 5
    assert kept.files("_filters") <= len(filters.file_uris()) + 2 * readings.PARTITIONS
    assert len(DeltaTable(kept.places.table(f"{RESULT.name}_ledger")).file_uris()) <= 2
    assert kept.files("_ledger") <= 2 * housekeeping.EVERY_ROWS
    with pytest.raises(InterruptedError):
        kept.keep(LOG[30:45], killed_at="after filters")
    kept.keep(LOG[45:])
    checks.check_seen(kept)


def test_the_log_of_a_table_of_our_own_keeps_a_day(tmp_path: Path) -> None:
    path, old = str(tmp_path / "own"), 1_700_000_000
    tables.create(path, StructType([StructField("n", LongType())]), (), "own", housekeeping.SETTINGS)
    commit = commits.Commit("r_v1", "1", 1, "step", {}, {})
    for number in range(90):
        numbered = replace(commit, sequence=number)
        tables.append(pa.table({"n": [number]}), path, numbered, {})
        if number == 50:
            for file in Path(path, "_delta_log").iterdir():
                os.utime(file, (old, old))
    left = {int(file.stem) for file in Path(path, "_delta_log").glob("*.json")}
    assert 20 < min(left) < 60 and max(left) == 90
    assert sorted(row["n"] for row in delta.rows(path)) == list(range(90))
    assert commits.foreign(path) == []
    assert commits.is_written(path, replace(commit, sequence=89))
    assert not commits.is_written(path, replace(commit, sequence=89, step="another"))
    assert len(commits.after(path, 85)) == 5
