"""Windows are the same whether a small change is published in memory or a large one by Spark, or both in turn."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.keeping import fast_pass
from jobs.lake import delta_tables
from jobs.publishing import in_process_upsert, pane_cache, stored_panes
from tests import delta
from tests.jobs.keeping import readings
from tests.jobs.keeping.checks import check_panes
from tests.jobs.keeping.readings import ODD, PANES
from tests.jobs.keeping.world import GOOD, World

CUTS = [0, 10, 20, len(GOOD)]
LIMITS = {
    "few bytes": (stored_panes, "MOST_FILE_BYTES"),
    "few panes": (stored_panes, "MOST_PANES"),
    "few windows": (in_process_upsert, "MOST_WINDOWS"),
}


def by_spark(world: World) -> int:
    """How many publishings Spark has done."""
    return delta.commits_of_spark(world.places.table(world.result.name))


def said(world: World) -> list[list[tuple[str, str]]]:
    """The published rows, without the time of their publishing; means to 12 digits."""
    rows = [
        sorted((k, f"{v:.12g}" if isinstance(v, float) else str(v)) for k, v in row.items()) for row in world.rows()
    ]
    return sorted([pair for pair in row if pair[0] != "updated_time"] for row in rows)


def kept(spark: SparkSession, folder: Path, monkeypatch: pytest.MonkeyPatch, large: list[bool]) -> World:
    """A result over the log in three runs, some of which take every change for a large one."""
    world = World(spark, folder, ODD)
    for first, after, is_large in zip(CUTS, CUTS[1:], large, strict=False):
        world.write(GOOD[first:after])
        with monkeypatch.context() as limits:
            if is_large:
                limits.setattr(stored_panes, "MOST_PANES", -1)
                limits.setattr(delta_tables, "SMALL_BYTES", -1)
                limits.setattr(fast_pass, "FEW_RECORDS", -1)
            world.keep()
    return world


def test_small_and_large_changes_give_the_same_rows_in_any_turn(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds = []
    for number, large in enumerate([[False] * 3, [True, False, True]]):
        worlds.append(kept(spark, tmp_path / str(number), monkeypatch, large))
        assert by_spark(worlds[-1]) == sum(large)
    for world in worlds:
        check_panes(world, ("site", "cell"))
        assert said(world) == said(worlds[0])
    assert {row["revision"] for row in worlds[0].rows()} >= {1, 2}


def test_what_is_too_much_for_memory_is_left_to_spark(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever limit it is that a run meets."""
    world = World(spark, tmp_path, PANES)
    for number, limit in enumerate(LIMITS):
        world.write(GOOD[CUTS[number] : CUTS[number + 1]])
        with monkeypatch.context() as limits:
            limits.setattr(*LIMITS[limit], 3)
            limits.setattr(delta_tables, "SMALL_BYTES", -1)  # what Spark has made it writes
            world.keep()
        assert by_spark(world) == number + 1, limit
    check_panes(world)


def test_a_record_of_a_far_year_is_published_too(spark: SparkSession, tmp_path: Path) -> None:
    """Nanoseconds end in 2262, Python's calendar in 9999; Spark's and Delta's times do not."""
    good = next(r for r in GOOD if r.good and r.good["site"] != "test")
    assert good.good
    far, last = datetime(2300, 5, 1, 8, tzinfo=UTC), datetime(9998, 12, 31, 23, 45, tzinfo=UTC)
    log = [good]
    for moment in (far, last):
        value = json.dumps(good.good | {"taken_time": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}).encode()
        log.append(good._replace(timestamp=moment, value=value, good=good.good | {"taken_time": moment}))
    world = World(spark, tmp_path, PANES)
    for record in (good._replace(offset=offset) for offset, good in enumerate([*log, good])):
        world.write([record])
        world.keep()
    published = {(row["window_kind"], row["window_start"]): row["records"] for row in world.rows()}
    assert published == {key[:2]: facts["records"] for key, facts in readings.windows(world.written).items()}


@pytest.mark.parametrize("most_bytes", [0, pane_cache.MOST_BYTES])
def test_a_continuous_run_may_forget_its_panes_and_read_them_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    monkeypatch.setattr(pane_cache, "MOST_BYTES", most_bytes)
    read: list[str] = []

    def table(path: str) -> DeltaTable:
        read.append(path)
        return DeltaTable(path)

    monkeypatch.setattr(stored_panes, "DeltaTable", table)
    world = World(spark, tmp_path, PANES)
    world.write(GOOD)
    world.keep_running(batch=8, publish_every="1 second")
    check_panes(world)
    published = sum(row["kind"] == "batch" for row in world.rows("_ledger"))
    assert published >= 3 and not by_spark(world)
    # Records that come later than is allowed may make it read, others do not.
    assert len(read) == published if not most_bytes else 1 <= len(read) < published
