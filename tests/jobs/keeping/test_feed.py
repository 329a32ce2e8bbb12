"""The feed says what each publish has changed, and a topic gets each change once: whatever the cut and the accident."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.answers.delivery import Topic
from jobs.answers.outcomes import Before, Outcomes, Then
from jobs.publishing import stored_panes
from tests.jobs.keeping import searches
from tests.jobs.keeping.checks import check_panes
from tests.jobs.keeping.feeds import PLACE, apply, check_feed, header, records
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.readings import PANES
from tests.jobs.keeping.searches import NOT_TOO_LATE, Visits
from tests.jobs.keeping.world import GOOD, World

CLICKED = Outcomes("searches", ("user",), (Then("clicks", "3 minutes"),), called=("clicked", "not_clicked", "late"))
CLOSED = Outcomes(
    "clicks", ("user",), (Then("is_last", "2 minutes", without="is_close"),), (Before("searches", "1 minute"),)
).named("closed")
DELIVER = (Topic("outcomes"), Topic("by_user", key=("user",)), Topic("closings", answer="closed"))


def check_topic(world: Visits, topic: str, feed: list[dict[str, Any]]) -> None:
    """The topic has each change of the feed once, those of a key in order, and leads to the same rows."""
    found = records(world, topic)
    sent = Counter((record["key"], int(header(record, "sequence")), header(record, "change")) for record in found)
    wanted = Counter((key_of(row), row["sequence"], row["change"]) for row in feed)
    assert sent == wanted
    latest: dict[bytes, Any] = {}
    for record in found:
        if record["value"] is None:
            del latest[record["key"]]
        else:
            value = json.loads(record["value"])
            assert str(value["revision"]) == header(record, "revision")
            latest[record["key"]] = (value["outcome"], value["final"], value["revision"])
    rows = apply(feed).values()
    assert latest == {key_of(row): (row["outcome"], row["final"], row["revision"]) for row in rows}


def key_of(row: dict[str, Any]) -> bytes:
    return b'{"record_partition":%d,"record_offset":%d}' % tuple(row[name] for name in PLACE)


def check(world: Visits) -> None:
    for which in range(2):
        assert world.found(which) == world.expected(which)
    feed = check_feed(world)
    check_topic(world, "outcomes", feed)
    check_topic(world, "closings", check_feed(world, "_closed"))
    assert len(records(world, "by_user")) == len(feed)
    last = max(world.rows("_ledger"), key=lambda row: row["sequence"])
    assert set(dict(last["delivered_sequence"])) == {"topic:outcomes", "topic:by_user", "topic:closings:closed"}
    assert all(sequence >= max(row["sequence"] for row in feed) for _, sequence in last["delivered_sequence"])


cuts = st.lists(st.integers(1, 89), min_size=0, max_size=2, unique=True).map(sorted)
MOMENTS = [f"{when} {what}" for what in ("publish", "feed", "delivery", "ledger") for when in ("before", "after")]
accidents = st.lists(st.sampled_from(["", "lose", "after events", *MOMENTS]), min_size=3, max_size=3)


@law
@example(cuts=[30, 60], accidents=["lose", "after publish", "after delivery"], size=1000, seed=8)
@given(cuts=cuts, accidents=accidents, size=st.sampled_from([29, 1000]), seed=st.integers(0, 99))
def test_any_cut_and_any_accident(
    cuts: list[int], accidents: list[str], size: int, seed: int, spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    world = Visits(spark, tmp_path_factory.mktemp("feed"), searches.result("r_v1", (CLICKED, CLOSED), deliver=DELIVER))
    written = searches.log(seed)
    for first, after, accident in zip([0, *cuts], [*cuts, len(written)], accidents, strict=False):
        world.add(written[first:after])
        if world.keep(size, crash=accident) and accident == "lose":
            world.lose_checkpoint()
    world.keep(size)
    check(world)


def test_a_run_that_ends_anywhere_in_a_publish(spark: SparkSession, tmp_path: Path) -> None:
    """One run for each moment, over a log that grows, and one more without anything new."""
    world = Visits(spark, tmp_path, searches.result("r_v1", (CLICKED, CLOSED), deliver=DELIVER))
    written = searches.log(11, 120, NOT_TOO_LATE)
    moments = ["before publish", "after publish", "after feed", "before delivery", "after delivery"]
    for number, moment in enumerate(moments):
        world.add(written[number * 20 : (number + 1) * 20])
        assert not world.keep(crash=moment)
    world.add(written[len(moments) * 20 :])
    assert world.keep()
    check(world)
    rows = len(world.rows("_ledger"))
    assert world.keep()
    assert len(world.rows("_ledger")) == rows, "a run without anything new writes nothing"
    check(world)
    feed = world.rows("_feed")
    assert {row["change"] for row in feed} == {"new", "revised"}


WINDOW = ("window_kind", "window_start", "window_end", "site")
HOURS = replace(PANES, deliver=(Topic("hours"),))


@pytest.mark.parametrize(
    "large",
    [pytest.param(False, id="in this process"), pytest.param(True, id="by Spark", marks=pytest.mark.long)],
)
def test_windows(large: bool, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first publish is of a result that delivers nothing yet: the feed begins with all that there is."""
    if large:
        monkeypatch.setattr(stored_panes, "MOST_PANES", -1)
    world = World(spark, tmp_path, PANES)
    first = len(GOOD) // 4
    world.write(GOOD[:first])
    assert world.keep()
    world.result = HOURS
    moments = ["after feed", "after delivery"] if large else ["after windows", "after feed", "after delivery"]
    size = (len(GOOD) - first) // (len(moments) + 1)
    for number, moment in enumerate(moments):
        world.write(GOOD[first + number * size : first + (number + 1) * size])
        assert not world.keep(crash=moment)
    world.write(GOOD[first + len(moments) * size :])
    assert world.keep()
    check_panes(world)
    feed = check_feed(world, names=WINDOW)
    sent = Counter((tuple(json.loads(one["key"])[name] for name in ("window_kind", "site")), header(one, "sequence"))
                   for one in records(world, "hours"))  # fmt: skip
    assert sent == Counter(((row["window_kind"], row["site"]), str(row["sequence"])) for row in feed)
    assert {row["change"] for row in feed} == {"new", "revised"}


def test_windows_of_a_continuous_run(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, replace(HOURS, min_records_per_batch=1))
    world.write(GOOD)
    world.keep_running(batch=15, publish_every="1 second")
    check_panes(world)
    feed = check_feed(world, names=WINDOW)
    assert len({row["sequence"] for row in feed}) > 1
    assert len(records(world, "hours")) == len(feed)
