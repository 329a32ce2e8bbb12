"""A result that lives long keeps few files of what is its own, and loses nothing by it."""

import os
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from jobs.answers.result import Late
from jobs.answers.sessions import Sessions
from jobs.keeping import housekeeping
from jobs.lake import commits, delta_tables
from tests import delta
from tests.jobs.keeping import readings
from tests.jobs.keeping.checks import check_seen
from tests.jobs.keeping.world import World

LOG = readings.interleaved(readings.only_good(readings.log(each=20)), 3)
BATCH = 6


def files(world: World, suffix: str) -> int:
    return len(list(Path(world.places.table(world.result.name + suffix)).rglob("*.parquet")))


def test_replaced_filters_and_small_files_of_the_ledger_go_and_a_killed_batch_is_done_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 2)
    monkeypatch.setattr(housekeeping, "REPLACED_FILES_HOURS", 0)
    world = World(spark, tmp_path, readings.SEEN)
    world.write(LOG[:30])
    assert world.keep(BATCH)
    filters, ledger = (
        DeltaTable(world.places.table(f"{world.result.name}_{which}")) for which in ("filters", "ledger")
    )
    batches = sum(row["kind"] == "batch" for row in world.rows("_ledger"))
    assert batches >= 5
    assert files(world, "_filters") <= len(filters.file_uris()) + 2 * readings.PARTITIONS
    assert len(ledger.file_uris()) <= 2
    assert files(world, "_ledger") <= 2 * housekeeping.EVERY_ROWS
    world.write(LOG[30:36])
    assert not world.keep(BATCH, crash="after filters")
    world.write(LOG[36:])
    assert world.keep()
    check_seen(world)


def test_the_small_files_of_late_records_and_spells_are_put_together(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 3)
    stays = Sessions(("site",), "10 minutes", count="records")
    world = World(spark, tmp_path, replace(readings.PANES, name="stays_v1", answers=stays, late=Late("1 minute")))
    world.write(LOG[:30])
    assert not world.keep(BATCH, crash="before publish")
    late = readings.late(world.written, timedelta(minutes=1))
    assert len(late) > 5 and len(world.rows("_stragglers")) == len(late)
    for which in ("stragglers", "spells"):
        assert len(DeltaTable(world.places.table(f"stays_v1_{which}")).file_uris()) <= 3
    assert world.keep(BATCH)
    of_sites = Counter(r.good["site"] for r in world.written if r.good and r.good["site"] != "test")
    found: Counter[str] = Counter()
    for row in world.rows():
        found[row["site"]] += row["records"]
    assert found == of_sites


def test_the_log_of_a_table_of_our_own_keeps_a_day(tmp_path: Path) -> None:
    path, old = str(tmp_path / "own"), 1_700_000_000
    delta_tables.create(path, StructType([StructField("n", LongType())]), (), "own", housekeeping.SETTINGS)
    commit = commits.Commit("r_v1", "1", 1, "step", {}, {})
    for number in range(90):
        numbered = replace(commit, sequence=number)
        delta_tables.append(pa.table({"n": [number]}), path, numbered, {})
        if number == 50:
            for file in Path(path, "_delta_log").iterdir():
                os.utime(file, (old, old))
    left = {int(file.stem) for file in Path(path, "_delta_log").glob("*.json")}
    assert 20 < min(left) < 60 and max(left) == 90
    assert sorted(row["n"] for row in delta.rows(path)) == list(range(90))
    assert commits.foreign_commits(path) == []
    assert commits.is_written(path, replace(commit, sequence=89))
    assert not commits.is_written(path, replace(commit, sequence=89, step="another"))
    assert len(commits.metadata_since(path, 85)) == 5
