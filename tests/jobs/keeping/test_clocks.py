"""A result with clocks: any cut and any crash give the rows of all records corrected at once."""

from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.decisions import clocks, corrected_times
from jobs.decisions.offset_series import STATE
from jobs.keeping import fast_pass
from jobs.keeping.requeue import requeue
from jobs.run import Run
from tests.altered import altered
from tests.jobs.keeping import taps
from tests.jobs.keeping.taps import CLOCKS, RESULT, Taps


def by_place(rows: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, Any]]:
    found = {(row["record_partition"], row["record_offset"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def check(world: Taps) -> None:
    """Rows and state are those of all events at once."""
    events = world.events()
    columns, state = clocks.correct(events, STATE.empty_table(), CLOCKS)
    for name in columns.column_names:
        events = events.append_column(name, columns[name])
    rows = [{name: value for name, value in row.items() if name != "sequence"} for row in world.rows()]
    assert by_place(rows) == by_place(events.to_pylist())
    methods = {row["clock_method"] for row in rows}
    assert methods == {"median", "own", "none"} and len(rows) > 20
    last: dict[tuple[int, str], list[int]] = {}
    for row in sorted(world.rows("_clocks"), key=lambda row: row["sequence"]):
        last[row["partition"], row["device"]] = row["offsets"]
    assert last == {(row["partition"], row["device"]): row["offsets"] for row in state.to_pylist()}


@pytest.mark.parametrize("transform", [taps.selected, taps.computed])
@pytest.mark.parametrize(("few", "bad"), [(1000, False), (0, False), (0, True)])
def test_driver_tasks_and_exact_pass_correct_alike(
    transform: Any, few: int, bad: bool, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two batches each, and several blocks in a task."""
    monkeypatch.setattr(fast_pass, "FEW_RECORDS", few)
    monkeypatch.setattr(corrected_times, "BLOCK_RECORDS", 4)
    world = Taps(spark, tmp_path, altered(RESULT, transform=transform))
    log = taps.log(seed=3, bad=bad)
    for half in (log[:25], log[25:]):
        world.tap(half)
        world.keep()
    check(world)


def test_any_cut_and_a_crash_at_each_step_give_the_rows_of_all_at_once(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State is written anew in between: more than 20 stored rows, of which the devices have 6."""
    monkeypatch.setattr(corrected_times, "FEW_ROWS", 20)
    world, log = Taps(spark, tmp_path), taps.log(seed=7)
    points = [f"{when} {step}" for step in ("rows", "clocks", "ledger") for when in ("before", "after")]
    crashed = []
    for number, point in enumerate(points):
        world.tap(log[10 * number : 10 * number + 10])
        crashed += [] if world.keep(batch=7, crash=point) else [point]
        if number == 3:
            world.lose_checkpoint()
    assert crashed == points
    world.keep(batch=7)
    check(world)
    table = world.places.table("tap_clock_v1_clocks")
    modes = [commit.get("operationParameters", {}).get("mode") for commit in DeltaTable(table).history()]
    assert {"Append", "Overwrite"} <= set(modes)


def test_records_that_are_read_again_are_not_corrected(spark: SparkSession, tmp_path: Path) -> None:
    world = Taps(spark, tmp_path)
    world.tap(taps.log(seed=5, length=20))
    lacking = sum("firmware" not in tap["value"] for tap in world.taps)
    world.keep()
    clocks_before, rows_before = world.rows("_clocks"), by_place(world.rows())
    row = requeue(Run(spark, world.places, say=lambda _: None), altered(RESULT, topic=taps.MENDED))
    assert row.records == lacking > 0
    again = [row for place, row in by_place(world.rows()).items() if place not in rows_before]
    assert len(again) == lacking
    for found in again:
        assert found["corrected_time"] == found["event_time"]
        assert (found["clock_method"], found["clock_refusal"]) == ("none", "requeued")
        assert found["clock_offset_seconds"] is found["clock_confidence"] is None
    assert world.rows("_clocks") == clocks_before
