"""The rankings of windows are those of Python's sort over windows worked out in plain Python: whatever the cut and the
accident.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.answers.delivery import Topic
from jobs.answers.top import Top
from jobs.answers.windows import Windows
from jobs.facts.panes import Panes
from jobs.publishing import ranking_publication, stored_panes, version_feed
from jobs.running.errors import Refused
from tests.jobs.keeping import readings
from tests.jobs.keeping.feeds import check_feed, check_latest, due, records, sent
from tests.jobs.keeping.readings import PANES
from tests.jobs.keeping.world import GOOD, World

BY = ("site", "device")
COUNTED = Windows(Panes("30 minutes", BY, averages=("reading",)), *PANES.windows)
BUSIEST = Top(2, item="device", by="records", each=("site",))
HIGHEST = Top(1, item="device", by="reading_mean", each=("site",)).named("highest")
RANKED = replace(PANES, name="ranked_v1", answers=(COUNTED, BUSIEST, HIGHEST))
KEY = ("window", "window_start", *BY)


def expected(world: World, ranking: Top) -> dict[tuple[Any, ...], tuple[int, Any]]:
    """{(window, start, site, device): (rank, value)}, by a sort of each window's devices."""
    groups, kinds = defaultdict(list), {each.name for each in world.result.windows}
    for (window, start, _, site, device), facts in readings.windows(world.written, BY).items():
        if window not in kinds:
            continue
        value = facts["reading"][0] if ranking is HIGHEST else facts["records"]
        if value is not None:
            groups[window, start, site].append((-value, device))
    ranks = {}
    for group, items in groups.items():
        for rank, (value, device) in enumerate(sorted(items)[: ranking.n], 1):
            ranks[*group, device] = (rank, -value)
    return ranks


def check(world: World) -> None:
    for ranking in (BUSIEST, HIGHEST):
        rows = world.rows(f"_{ranking.name}")
        found = {tuple(row[name] for name in KEY): (row["rank"], row[ranking.by]) for row in rows}
        assert len(found) == len(rows)
        right = expected(world, ranking)
        assert {key: rank for key, (rank, _) in found.items()} == {key: rank for key, (rank, _) in right.items()}
        assert all(value == pytest.approx(right[key][1], rel=1e-9) for key, (_, value) in found.items())
        finals = {(row["window"], row["window_start"]): row["final"] for row in world.rows()}
        assert all(row["final"] == finals[row["window"], row["window_start"]] for row in rows)
        assert all(row["due_time"] == row["window_end"] for row in rows)


@pytest.mark.parametrize("large", [False, True], ids=["in this process", "by Spark"])
def test_a_run_that_ends_anywhere_in_a_publish(
    large: bool, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In slices of few windows, over a log that grows; and the feed leads to the ranking."""
    monkeypatch.setattr(ranking_publication, "SLICE_ROWS", 7)
    monkeypatch.setattr(version_feed, "SLICE_ROWS", 7)
    if large:
        monkeypatch.setattr(stored_panes, "MOST_PANES", -1)
    world = World(spark, tmp_path, replace(RANKED, deliver=(Topic("busiest", answer="top"),)))
    moments = ["", "after windows", ""] if large else ["", "after windows", "", "after publish", "after feed", ""]
    written = readings.interleaved(GOOD, 5)
    size = -(-len(written) // len(moments))
    for number, moment in enumerate(moments):
        world.write(written[number * size : (number + 1) * size])
        assert world.keep(crash=moment) == (not moment)
    check(world)
    feed = check_feed(world, "_top", KEY)
    assert len(records(world, "busiest")) == len(feed)
    assert {row["change"] for row in check_feed(world, "_highest", KEY)} == {"new", "revised", "withdrawn"}
    check_feed(world, names=KEY)


def test_a_continuous_run_ranks_as_it_goes(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, replace(RANKED, min_records_per_batch=1))
    world.write(GOOD)
    world.keep_running(batch=15, publish_every="1 second")
    check(world)
    assert max(row["revision"] for row in world.rows("_top")) > 1


def test_windows_come_and_go_with_their_ranks_wherever_a_run_stops(spark: SparkSession, tmp_path: Path) -> None:
    """In the feed, and so in the topic, the rows of added windows are new, and those of removed ones withdrawn."""
    deliver = (Topic("busiest", answer="top"), Topic("hours"))
    first, second = (
        replace(RANKED, answers=(Windows(COUNTED.panes, *kinds), BUSIEST, HIGHEST), deliver=deliver)
        for kinds in (COUNTED.windows[:2], COUNTED.windows[1:])
    )
    world, written = World(spark, tmp_path, first), readings.interleaved(GOOD, 5)
    world.write(written[: len(written) // 2])
    assert world.keep()
    begun = world.rows("_top")
    world.result = second
    assert not world.keep(crash="after feed")
    world.result = first  # the change is taken back
    assert world.keep()
    assert world.rows("_top") == begun
    world.result = second
    assert not world.keep(crash="after publish")
    assert world.keep()
    check(world)
    world.write(written[len(written) // 2 :])
    assert world.keep()
    check(world)
    for suffix, topic in (("_top", "busiest"), ("", "hours")):
        rows = [row for row in world.rows(f"{suffix}_feed") if row["window"] == COUNTED.windows[0].name]
        assert {row["change"] for row in rows} == {"new", "withdrawn"} and len(rows) % 2 == 0
        added = [row for row in world.rows(f"{suffix}_feed") if row["window"] == COUNTED.windows[2].name]
        begins = min(row["sequence"] for row in added)
        assert {(row["change"], row["revision"]) for row in added if row["sequence"] == begins} == {("new", 1)}
        feed = check_feed(world, suffix, KEY)
        assert sent(records(world, topic), KEY) == due(feed, KEY)
        check_latest(records(world, topic), world.rows(suffix), KEY)


def test_another_ranking_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, RANKED)
    world.write(GOOD[:20])
    assert world.keep()
    world.result = replace(RANKED, answers=(COUNTED, replace(BUSIEST, n=3), HIGHEST))
    with pytest.raises(Refused, match="means something else than the numbers in its tables"):
        world.keep()
