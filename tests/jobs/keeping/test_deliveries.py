"""A delivery that fails holds nothing up, and what waited is sent when it can be; what is delivered leaves the feed."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import run
from jobs.answers.delivery import File, Webhook
from jobs.answers.outcomes import Outcomes, Then
from jobs.keeping import deliveries, feed_retention, housekeeping, microbatch
from jobs.running.delivery_access import DeliveryPlace
from jobs.running.errors import Refused
from tests.jobs.keeping import searches
from tests.jobs.keeping.searches import NOT_TOO_LATE, Visits
from tests.jobs.publishing.receiver import Receiver, listening

CLICKED = Outcomes("searches", ("user",), (Then("clicks", "3 minutes"),), called=("clicked", "not_clicked", "late"))
KEPT = searches.result("r_v1", CLICKED, deliver=(Webhook("hook"), File("out")))
LABELS = ("webhook:hook", "file:out")


def world_with(spark: SparkSession, folder: Path, receiver: Receiver) -> Visits:
    world = Visits(spark, folder, KEPT)
    places = {"hook": DeliveryPlace(url=receiver.url), "out": DeliveryPlace(path=f"{folder}/out")}
    world.places = world.places.model_copy(update={"deliveries": places})
    return world


def keep(world: Visits) -> list[str]:
    said: list[str] = []
    microbatch.keep(run.Run(world.spark, world.places, say=said.append), world.result)
    return said


def last_row(world: Visits) -> dict[str, Any]:
    row = max(world.rows("_ledger"), key=lambda one: one["sequence"])
    return row | {"delivered_sequence": dict(row["delivered_sequence"])}


def changes(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    names = ("sequence", "change", "record_partition", "record_offset", "revision", "outcome")
    return sorted(tuple(row[name] for name in names) for row in rows)


def in_files(folder: Path) -> list[dict[str, Any]]:
    lines = [line for path in sorted(folder.iterdir()) for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line)["row"] for line in lines]


def test_a_webhook_that_fails_holds_nothing_up(spark: SparkSession, tmp_path: Path) -> None:
    written = searches.log(2, most_behind=NOT_TOO_LATE)
    with listening() as receiver:
        world = world_with(spark, tmp_path, receiver)
        receiver.answer = 503
        world.add(written[:50])
        [line] = keep(world)
        assert "webhook:hook is not delivered" in line and "answered 503" in line
        row = last_row(world)
        assert (row["kind"], row["delivered_sequence"]["file:out"]) == ("deliver", row["sequence"])
        assert row["notes"] and row["notes"][0] in line
        assert row["delivered_sequence"]["webhook:hook"] < row["sequence"] - 1
        receiver.answer = 200
        world.add(written[50:])
        assert keep(world) == []
        feed = world.rows("_feed")
        assert len({row["sequence"] for row in feed}) == 2
        assert changes([message["row"] for message in receiver.messages()]) == changes(feed)
        assert changes(in_files(tmp_path / "out")) == changes(feed)
        assert len({message["id"] for message in receiver.messages()}) == len(feed)
        row = last_row(world)
        assert row["delivered_sequence"] == dict.fromkeys(LABELS, row["sequence"])
        assert world.found() == world.expected()
        keep(world)
        assert len(receiver.messages()) == len(feed), "nothing is sent again"


def test_a_delivery_that_comes_back_begins_with_what_the_feed_still_holds(spark: SparkSession, tmp_path: Path) -> None:
    written = searches.log(2, 60)
    with listening() as receiver:
        world = world_with(spark, tmp_path, receiver)
        for deliver, visits in ((LABELS, written[:20]), (LABELS[1:], written[20:40])):
            world.result = replace(KEPT, deliver=tuple(each for each in KEPT.deliver if each.label in deliver))
            world.add(visits)
            keep(world)
            assert set(last_row(world)["delivered_sequence"]) == set(deliver)
        sent, feed = len(receiver.messages()), world.rows("_feed")
        assert 0 < sent < len(feed)
        world.result = KEPT
        world.add(written[40:])
        keep(world)
        again = [message["row"] for message in receiver.messages()[sent:]]
        assert changes(again) == changes(world.rows("_feed")) and len(again) > len(feed)
        assert changes(in_files(tmp_path / "out")) == changes(again), "the other one goes on"


def test_a_place_that_is_not_there_is_refused_before_anything_is_read(spark: SparkSession, tmp_path: Path) -> None:
    world = Visits(spark, tmp_path, KEPT)
    world.add(searches.log(2, 20))
    with pytest.raises(Refused, match=r"a table \[deliveries.hook\] with url = "):
        keep(world)
    assert not list((tmp_path / "tables").glob("*"))


def test_a_continuous_run_delivers_as_it_publishes(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And removes from the feed what is old, and delivered."""
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 2)
    monkeypatch.setattr(deliveries, "AGAIN_SECONDS", 0.0)
    with listening() as receiver:
        world = world_with(spark, tmp_path, receiver)
        world.add(searches.log(5, 100, NOT_TOO_LATE))
        world.keep_running(batch=20, publish_every="1 second")
        feed = world.rows("_feed")
        assert len({row["sequence"] for row in feed}) > 1
        assert changes([message["row"] for message in receiver.messages()]) == changes(feed)
        row = last_row(world)
        later = datetime.now(UTC) + timedelta(days=7)
        receiver.answer = 500
        world.add(searches.log(6, 100, NOT_TOO_LATE))
        keep(world)
        waiting = [one for one in world.rows("_feed") if one["sequence"] > row["sequence"]]
        assert waiting
        feed_retention.remove(world.places, world.result, last_row(world)["delivered_sequence"], later)
        assert changes(world.rows("_feed")) == changes(waiting), "what is not delivered stays"
        receiver.answer = 200
        keep(world)
        assert changes([one["row"] for one in receiver.messages()]) == changes(feed + waiting)
        assert world.found() == world.expected()
