"""Quarantined records of several topics read again: late ones correct the answers, those that are too late stay."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import StructField, StructType

from jobs import run
from jobs.answers.outcomes import Before, Outcomes, Then
from jobs.answers.result import Late, Reads
from jobs.keeping import housekeeping
from jobs.keeping.requeue import requeue
from tests.jobs.keeping import searches
from tests.jobs.keeping.searches import BOTH, START, Visit, Visits
from tests.jobs.steps import Stopped, stopping_at

CLICKED = Outcomes(
    "searches", ("user",), (Then("clicks", "3 minutes"),), called=("clicked", "not_clicked", "late_click")
)
CLOSED = Outcomes(
    "clicks", ("user",), (Then("is_last", "2 minutes", without="is_close"),), (Before("searches", "1 minute"),)
).named("closed")
WAITING = Late("2 minutes", "quarantine")


@pytest.fixture(autouse=True)
def _near(monkeypatch: pytest.MonkeyPatch) -> None:
    """No event time is far ahead, as quarantine demands it."""
    for topic in (searches.SEARCHES, searches.CLICKS):
        monkeypatch.setattr(topic, "MAX_AHEAD", "2 minutes", raising=False)


def minutes(after_start: float) -> datetime:
    return START + timedelta(minutes=after_start)


def searched(user: str | None, at: float) -> Visit:
    return Visit("searches", user, minutes(at), "w", False)


def clicked(user: str, at: float) -> Visit:
    return Visit("clicks", user, minutes(at), "w", False)


def with_user(topic: Any, required: bool) -> Any:
    """The topic, whose records need a user or not."""
    fields = [StructField(f.name, f.dataType, not required if f.name == "user" else f.nullable) for f in topic.COLUMNS]
    return SimpleNamespace(**(vars(topic) | {"COLUMNS": StructType(fields)}))


def outcomes(world: Visits) -> dict[str | None, tuple[str, datetime | None, int]]:
    return {row["user"]: (row["outcome"], row["clicks_time"], row["revision"]) for row in world.rows()}


@pytest.fixture
def asked(spark: SparkSession) -> Callable[..., tuple[Any, list[str]]]:
    """Requeues a world's result; returns the ledger row, and what was said."""

    def ask(world: Visits, step: str | None = None) -> tuple[Any, list[str]]:
        said: list[str] = []
        row = requeue(run.Run(spark, world.places, step=stopping_at(step), say=said.append), world.result)
        return row, said

    return ask


@pytest.mark.long
def test_record_by_record_wherever_it_stops(
    spark: SparkSession, tmp_path: Path, asked: Callable[..., tuple[Any, list[str]]]
) -> None:
    """Bob's click is 7 minutes late and corrects his search, Ann's 19 minutes, which is too late; a search without a
    user can be read once the schema allows it.
    """
    mended = searches.result("r_v1", CLICKED, late=WAITING)
    strict = Reads(with_user(searches.SEARCHES, True), BOTH[0].transform)
    world = Visits(spark, tmp_path, replace(mended, reads=(strict, BOTH[1])))
    world.add([searched("ann", 0), searched("bob", 12), searched(None, 12.5), searched("cid", 20)])
    world.add([clicked("dan", 0), clicked("cid", 20), clicked("bob", 13), clicked("ann", 1)])
    world.keep()
    before = {"ann": ("not_clicked", None, 1), "bob": ("not_clicked", None, 1), "cid": ("clicked", minutes(20), 1)}
    assert outcomes(world) == before
    world.result = mended
    for step in ("after events", "after publish"):
        with pytest.raises(Stopped):
            asked(world, step)
        assert not [row for row in world.rows("_ledger") if row["kind"] == "requeue"]
    world.keep()
    assert outcomes(world) == before
    row, said = asked(world)
    assert said[-1] == ("r_v1: 2 of 3 records can be read now, 1 go on waiting; too late to correct an answer: 1")
    assert (row.kind, row.records, row.quarantined, row.published_sequence) == ("requeue", 2, -2, row.sequence)
    after = {"bob": ("late_click", minutes(13), 2), None: ("not_clicked", None, 1)}
    assert outcomes(world) == before | after
    waiting = [row["reason"] for row in world.rows("_quarantine") if row["requeued_sequence"] is None]
    assert waiting == ["too_late"]
    assert {(row["user"], row["late"]) for row in world.rows("_clicks")} == {
        ("dan", False), ("cid", False), ("bob", True)
    }  # fmt: skip
    again, said = asked(world)
    assert again.sequence == row.sequence
    assert "nothing to requeue, 1 records wait" in said[-1]

    world.add([searched("eve", 26), clicked("eve", 27)])
    world.keep()
    later = {"cid": ("clicked", minutes(20), 2), "eve": ("clicked", minutes(27), 1)}  # cid's row is final now
    assert outcomes(world) == before | after | later


def test_the_tables_are_those_of_a_result_that_corrects(
    spark: SparkSession, tmp_path: Path, asked: Callable[..., tuple[Any, list[str]]]
) -> None:
    world = Visits(spark, tmp_path, searches.result("r_v1", (CLICKED, CLOSED), late=WAITING))
    visits = searches.log(7)
    world.add(visits[:60])
    world.keep()
    asked(world)
    world.add(visits[60:])
    world.keep()
    asked(world)
    for which in (0, 1):
        assert world.found(which) == world.expected(which, "correct")
    too_late = [row for row in world.rows("_quarantine") if row["reason"] == "too_late"]
    assert sum(row["quarantined"] for row in world.rows("_ledger")) == len(too_late) > 0
    assert "late_click" in {row["outcome"] for row in world.found()}


def test_a_record_that_has_waited_until_the_events_beside_it_are_gone_goes_on_waiting(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Callable[..., tuple[Any, list[str]]]
) -> None:
    """Events are kept for 23 minutes: twice the 2 that are allowed, 10 of facts_for, and thrice the 3 of the click."""
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 1)
    world = Visits(spark, tmp_path, searches.result("r_v1", CLICKED, late=WAITING))
    world.add([searched("bob", 12), searched("cid", 20), clicked("cid", 20), clicked("bob", 13)])
    world.keep()
    world.add([searched("eve", 55), searched("dan", 60), clicked("dan", 60), clicked("eve", 56)])
    world.keep()
    assert {row["user"] for row in world.rows("_searches")} == {"eve", "dan"}
    _, said = asked(world)
    assert said[-1] == "r_v1: 1 of 2 records can be read now, 1 go on waiting; too late to correct an answer: 1"
    assert {user: outcome for user, (outcome, *_) in outcomes(world).items()} == {
        "bob": "not_clicked", "cid": "clicked", "dan": "clicked", "eve": "late_click"
    }  # fmt: skip
    assert {row["user"] for row in world.rows("_clicks")} == {"dan", "eve"}
    waiting = [row["offset"] for row in world.rows("_quarantine") if row["requeued_sequence"] is None]
    assert waiting == [1]
