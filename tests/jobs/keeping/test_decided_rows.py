"""Rows with a decision are delivered: each once, whatever the cut and the accident."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.answers.delivery import File, Topic, Webhook
from jobs.answers.result import Result
from jobs.keeping import deliveries, fast_pass
from jobs.keeping.requeue import requeue
from jobs.publishing.feed_reader import FeedPosition, read_changes
from jobs.run import Run
from jobs.running.delivery_access import DeliveryPlace
from jobs.running.errors import Mistake
from tests.altered import altered
from tests.jobs.keeping import taps
from tests.jobs.keeping.feeds import PLACE, header, records
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.taps import RESULT, Taps
from tests.jobs.publishing.receiver import listening

DELIVER = (Topic("corrected"), Topic("by_device", key=("device",)), File("out"))


def world_with(spark: SparkSession, folder: Path, result: Result, url: str = "") -> Taps:
    world = Taps(spark, folder, result)
    places = {"out": DeliveryPlace(path=f"{folder}/out"), "hook": DeliveryPlace(url=url)}
    world.places = world.places.model_copy(update={"deliveries": places})
    return world


def decided(rows: list[dict[str, Any]]) -> Counter[tuple[Any, ...]]:
    """How often each row is there, and what was decided about it."""
    names = (*PLACE, "sequence", "clock_method", "clock_offset_seconds")
    return Counter(tuple(row[name] for name in names) for row in rows)


def in_files(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in sorted(folder.iterdir()) for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def check(world: Taps) -> None:
    """Every record that can be read has a row, and each row is in the topics and in the files once."""
    rows = world.rows()
    places = sorted((row["record_partition"], row["record_offset"]) for row in world.events().to_pylist())
    assert sorted(tuple(row[name] for name in PLACE) for row in rows) == places
    for topic in ("corrected", "by_device"):
        found = records(world, topic)
        assert decided([json.loads(record["value"]) for record in found]) == decided(rows)
        assert {(header(record, "change"), header(record, "revision")) for record in found} == {("new", "1")}
    messages = in_files(world.folder / "out")
    assert decided([message["row"] for message in messages]) == decided(rows)
    assert len({message["id"] for message in messages}) == len(rows)
    closed = {row["sequence"]: row["committed_time"] for row in world.rows("_ledger")}
    assert all(record["timestamp"] == closed[int(header(record, "sequence"))] for record in records(world, "corrected"))


MOMENTS = [f"{when} {what}" for what in ("rows", "clocks", "ledger", "delivery") for when in ("before", "after")]


@law
@example(cuts=[25], accidents=["after rows", "after delivery"], size=1000, few=1000, seed=7)
@given(
    cuts=st.lists(st.integers(1, 59), min_size=1, max_size=2, unique=True).map(sorted),
    accidents=st.lists(st.sampled_from(["", "lose", *MOMENTS]), min_size=3, max_size=3),
    size=st.sampled_from([7, 25, 1000]),
    few=st.sampled_from([0, 1000]),
    seed=st.integers(0, 99),
)
def test_any_cut_and_any_accident(
    cuts: list[int], accidents: list[str], size: int, few: int, seed: int, spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """At the end those records come out of quarantine that the topic's schema has refused until then."""
    world = world_with(spark, tmp_path_factory.mktemp("decided"), replace(RESULT, deliver=DELIVER))
    log = taps.log(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_pass, "FEW_RECORDS", few)
        for first, after, accident in zip([0, *cuts], [*cuts, len(log)], accidents, strict=False):
            world.tap(log[first:after])
            if world.keep(size, crash=accident) and accident == "lose":
                world.lose_checkpoint()
        world.keep(size)
    check(world)
    world.result = altered(world.result, topic=taps.MENDED)
    had = len(world.rows())
    assert requeue(Run(spark, world.places, say=lambda _: None), world.result).records > 0
    world.keep()
    rows, found = world.rows(), records(world, "corrected")
    assert len(rows) == len(log) > had
    assert decided([json.loads(record["value"]) for record in found]) == decided(rows)
    count = len(world.rows("_ledger"))
    world.keep()
    assert len(world.rows("_ledger")) == count, "a run without anything new writes nothing"


def test_a_continuous_run_delivers_each_batch(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long publish_every is. A delivery that comes later begins with the first row."""
    monkeypatch.setattr(deliveries, "AGAIN_SECONDS", 0.0)
    log = taps.log(seed=3, bad=False)
    with listening() as receiver:
        world = world_with(spark, tmp_path, replace(RESULT, deliver=(Webhook("hook"),)), receiver.url)
        world.tap(log[:20])
        world.result = replace(RESULT, deliver=())
        world.keep()
        position = read_changes(world.places, "tap_clock_v1").position
        world.result = replace(RESULT, deliver=(Webhook("hook"),), min_records_per_batch=1)
        world.tap(log[20:])
        world.keep_running(batch=10, publish_every="1 hour")
        sent = [message["row"] for message in receiver.messages()]
        assert decided(sent) == decided(world.rows()) and len(sent) == len(log)
        assert [row["sequence"] for row in sent] == sorted(row["sequence"] for row in sent)
        assert len({row["sequence"] for row in sent}) >= 3
        assert len({message["id"] for message in receiver.messages()}) == len(log)
    later = read_changes(world.places, "tap_clock_v1", position)
    assert not later.is_whole
    assert decided(later.rows.to_pylist()) == decided([row for row in world.rows() if row["sequence"] > 2])
    assert set(later.rows["change"].to_pylist()) == {"new"} and len(later.rows) == 40
    whole = read_changes(world.places, "tap_clock_v1", FeedPosition("tap_clock_v1", "another table", 2))
    assert whole.is_whole and decided(whole.rows.to_pylist()) == decided(world.rows())


def twice(events: DataFrame) -> DataFrame:
    return taps.selected(events).withColumn("part", F.explode(F.array(F.lit(1), F.lit(2))))


@pytest.mark.parametrize("few", [1000, 0], ids=["in this process", "in tasks"])
def test_rows_that_share_a_record_are_refused(
    few: int, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_pass, "FEW_RECORDS", few)
    world = world_with(spark, tmp_path, altered(RESULT, transform=twice, deliver=DELIVER))
    world.tap(taps.log(seed=3, length=3, bad=False))
    with pytest.raises(Mistake, match=r"topic taps makes several rows of one record .*: what is delivered could not"):
        world.keep()
    assert not list((tmp_path / "tables").glob("*")), "nothing was written"


def test_columns_that_deliveries_add_are_refused(spark: SparkSession, tmp_path: Path) -> None:
    def taken(events: DataFrame) -> DataFrame:
        return taps.selected(events).withColumn("Revision", F.lit(1))

    world = world_with(spark, tmp_path, altered(RESULT, transform=taken, deliver=DELIVER))
    world.tap(taps.log(seed=3, length=3, bad=False))
    with pytest.raises(Mistake, match="delivers has a column revision of its own: rename revision"):
        world.keep()
    assert not list((tmp_path / "tables").glob("*"))
    world.result = altered(RESULT, deliver=(Topic("t", key=("nothing",)),))
    with pytest.raises(Mistake, match="topic:t has no column nothing"):
        world.keep()
