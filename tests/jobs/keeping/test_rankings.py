"""The rankings of windows are those of Python's sort over windows worked out in plain Python: whatever the cut and the
accident.
"""

from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.answers.delivery import Topic
from jobs.answers.windows import Windows
from jobs.publishing import ranking_publication, stored_panes, version_feed
from jobs.running.errors import Refused
from tests.jobs.keeping import readings
from tests.jobs.keeping.feeds import check_feed, check_latest, due, records, sent
from tests.jobs.keeping.rankings import BUSIEST, COUNTED, HIGHEST, KEY, RANKED, check
from tests.jobs.keeping.world import GOOD, World


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
        rows = [row for row in world.rows(f"{suffix}_feed") if row["window_kind"] == COUNTED.windows[0].name]
        assert {row["change"] for row in rows} == {"new", "withdrawn"} and len(rows) % 2 == 0
        added = [row for row in world.rows(f"{suffix}_feed") if row["window_kind"] == COUNTED.windows[2].name]
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
