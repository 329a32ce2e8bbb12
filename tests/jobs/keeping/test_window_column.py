"""Tables that an earlier version made go on with the kind of window as `window`; new ones have it as `window_kind`."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import run
from jobs.admin.versions import result_comparison
from jobs.answers.delivery import Topic
from jobs.answers.result import Result
from jobs.answers.windows import Windows
from jobs.keeping.completion import complete
from jobs.keeping.requeue import requeue
from jobs.publishing import results, stored_panes
from jobs.running.errors import Mistake, Refused
from tests.jobs.keeping import readings
from tests.jobs.keeping.feeds import check_feed, records
from tests.jobs.keeping.rankings import BUSIEST, BY, COUNTED, HIGHEST, RANKED
from tests.jobs.keeping.rankings import check as check_rankings
from tests.jobs.keeping.world import GOOD, World

DELIVERED = replace(RANKED, deliver=(Topic("busiest", answer="top"),))
EARLIER = replace(DELIVERED, window_column="window")
"""As version 0.3.0 made its tables."""
OTHER_WINDOWS = (Windows(COUNTED.panes, *COUNTED.windows[1:]), BUSIEST, HIGHEST)
KEY = ("window", "window_start", *BY)


def quiet(spark: SparkSession, world: World) -> run.Run:
    return run.Run(spark, world.places, say=lambda _: None)


def test_tables_of_an_earlier_version_go_on_as_they_are(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is done with them; and they are equal to those of a new version of the result, made at once."""
    world, written = World(spark, tmp_path, EARLIER), readings.interleaved(GOOD, 5)
    third = len(written) // 3
    world.write(written[:third])
    assert world.keep()
    world.result = DELIVERED
    world.write(written[third : 2 * third])
    assert not world.keep(crash="after windows")
    assert world.keep()
    world.result = replace(DELIVERED, answers=OTHER_WINDOWS)  # a window is removed, with its rows
    world.write(written[2 * third :])
    monkeypatch.setattr(stored_panes, "MOST_PANES", -1)  # Spark corrects windows that were published in this process
    assert world.keep()
    assert requeue(quiet(spark, world), world.result).kind == "deliver", "nothing waits"
    later = max(row["window_start"] for row in world.rows()) + timedelta(minutes=1)
    complete(quiet(spark, world), world.result, later)
    for suffix in ("", "_feed", "_top", "_top_feed", "_highest", "_highest_feed"):
        columns = world.rows(suffix)[0].keys()
        assert "window" in columns and "window_kind" not in columns, suffix
    for suffix in ("", "_top", "_highest"):
        check_feed(world, suffix, KEY)
    assert {tuple(json.loads(record["key"])) for record in records(world, "busiest")} == {KEY}
    fresh = results.fresh(spark, world.places, world.result).select("window", "records").collect()
    assert sorted(fresh) == sorted((row["window"], row["records"]) for row in world.rows())
    days = [facts for key, facts in readings.windows(written, BY).items() if key[0].startswith("day")]
    assert results.pandas(world.places, RANKED.name, "day")["records"].sum() == sum(day["records"] for day in days)

    new = World(spark, tmp_path, replace(RANKED, name="ranked_v2", answers=OTHER_WINDOWS))
    assert new.keep()
    new.written = world.written
    check_rankings(new)
    assert result_comparison.compare(world.places, "ranked_v1", "ranked_v2").is_equal
    one = result_comparison.compare(world.places, "ranked_v1", "ranked_v2", key=KEY)
    assert one.is_equal and one.answers[""].key == ("window_kind", *KEY[1:])


def test_a_name_that_the_tables_do_not_have_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, RANKED)
    world.write(GOOD[:20])
    assert world.keep()
    world.result = replace(RANKED, window_column="window")
    with pytest.raises(Refused, match="it has no window; it has window_kind"):
        world.keep()


def test_only_two_names_are_known() -> None:
    def named(name: str) -> Result:
        return replace(RANKED, window_column=name)

    assert named("window").answer_keys["top"] == KEY
    with pytest.raises(Mistake, match='ranked_v1: window_column=\'kind\' is neither "window_kind" nor "window"'):
        named("kind")
