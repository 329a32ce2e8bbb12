"""A partition, or a topic, whose first record is older than the events that are still there."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.result import Late
from jobs.answers.sliding import Sliding
from jobs.events.lateness_rule import Remedy
from jobs.keeping import housekeeping
from jobs.keeping.requeue import requeue
from jobs.log.archive import writer
from jobs.log.partitioner import partitions_of
from jobs.run import Run
from tests.jobs.keeping import searches
from tests.jobs.keeping.searches import ALONE, BOTH, PARTITIONS, START, Visit, Visits

RECENT = Sliding(("user",), "150 seconds", count="searches")
CLICKED = Outcomes(
    "searches", ("user",), (Then("clicks", "3 minutes"),), called=("clicked", "not_clicked", "late_click")
)
USUAL = [0, 1, 2, 3, 4, *range(44, 53), 60, 61]
"""Minutes of searches in partition 0. When these are read, a record before minute 49 is too late: 2 minutes are allowed
and 10 are facts_for."""


BINARY = pa.schema([("key", pa.binary()), ("value", pa.binary()), ("timestamp", pa.timestamp("us", "UTC"))])


@pytest.fixture(autouse=True)
def _each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are removed after each publish; no event time is far ahead, as quarantine demands it."""
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 1)
    for topic in (searches.SEARCHES, searches.CLICKS):
        monkeypatch.setattr(topic, "MAX_AHEAD", "2 minutes", raising=False)


def minutes(after_start: float) -> datetime:
    return START + timedelta(minutes=after_start)


def visit(topic: str, minute: float, partition: int) -> Visit:
    words = next(word for word in ("w0", "w1", "w2", "w3") if partition_of(word) == partition)
    return Visit(topic, "ann", minutes(minute), words, False)


def partition_of(words: str) -> int:
    return int(partitions_of(searches.keys_of([Visit("searches", None, START, words, False)]), PARTITIONS, 0)[0])


def keep(world: Visits, *visits: Visit) -> dict[str, Any]:
    """Add these and run; returns the ledger's last row."""
    world.add(list(visits))
    world.keep()
    return max(world.rows("_ledger"), key=lambda row: row["sequence"])


def check_refused(world: Visits, topic: str, refused: list[float]) -> None:
    """Each is kept whole, named and counted."""
    waiting = [(row["topic"], row["reason"]) for row in world.rows("_quarantine")]
    assert waiting.count((topic, "too_late")) == len(refused)
    named = sorted((row["event_time"], row["stream_time"], row["done"]) for row in world.rows("_stragglers"))
    assert named == [(minutes(minute), minutes(61), "quarantined") for minute in refused]
    ledger = world.rows("_ledger")
    assert sum(row["late"] for row in ledger) == len(refused)
    assert sum(row["quarantined"] for row in ledger) == len(waiting)


def counted(times: list[float], complete: float) -> dict[datetime, tuple[int, bool]]:
    """By the time of a search, how many there were in the 150 seconds up to it, and whether that is final."""
    return {minutes(at): (sum(at - 2.5 <= other <= at for other in times), at < complete) for at in times}


@pytest.mark.parametrize("then", ["correct", "quarantine", "drop"])
def test_of_a_partition(spark: SparkSession, tmp_path: Path, then: Remedy) -> None:
    """Record by record, and together."""
    world = Visits(spark, tmp_path, searches.result("r_v1", RECENT, ALONE, late=Late("2 minutes", then)))

    def found() -> dict[datetime, tuple[int, bool]]:
        return {row["event_time"]: (row["searches"], row["final"]) for row in world.rows()}

    keep(world, *(visit("searches", minute, 0) for minute in USUAL))
    assert found() == counted([*USUAL], 59) and len(world.rows("_searches")) == len(USUAL) - 5
    row = keep(world, visit("searches", 1.5, 1), visit("searches", 48.9, 1))
    assert row["complete_time"] == minutes(59) and found() == counted([*USUAL], 59)
    check_refused(world, "searches", [1.5, 48.9])

    times: list[float] = [*USUAL]
    later = [visit("searches", minute, partition) for partition, minute in ((1, 49.5), (1, 50.5), (1, 62), (0, 63))]
    refused = [visit("searches", 48.5, partition) for partition in range(2)]
    if then != "correct":
        keep(world, *later, *refused)
        assert found() == counted([*times, 49.5, 50.5, 62, 63], 60)
        return
    for visits, complete in ((later[:1], 47.5), (later[1:3], 59), ([*later[3:], *refused], 60)):
        row = keep(world, *visits)
        times += [(each.at - START) / timedelta(minutes=1) for each in visits if each not in refused]
        assert row["complete_time"] == minutes(complete)
        assert found() == counted(times, complete), "time goes back only to where the events are there"
    assert sum(row["reopened"] for row in world.rows("_ledger")) == 1
    assert requeue(Run(spark, world.places, say=lambda _: None), world.result).kind != "requeue"


def test_of_a_topic(spark: SparkSession, tmp_path: Path) -> None:
    world = Visits(spark, tmp_path, searches.result("r_v1", CLICKED, BOTH))
    outcomes = {minutes(minute): "not_clicked" for minute in USUAL}

    def found() -> dict[datetime, tuple[str, bool]]:
        return {row["event_time"]: (row["outcome"], row["final"]) for row in world.rows()}

    def expected(complete: float) -> dict[datetime, tuple[str, bool]]:
        """A search that nobody clicked is decided 3 minutes after it, until then its outcome is open."""
        due = minutes(complete - 3)
        return {
            at: (outcome, at < due) if outcome == "clicked" or at < due else ("open", False)
            for at, outcome in outcomes.items()
        }

    unreadable = pa.record_batch({"key": [None], "value": [b"no click"], "timestamp": [START]}, schema=BINARY)
    writer.append(world.places.archive, "clicks", PARTITIONS, [unreadable])
    keep(world, *(visit("searches", minute, 0) for minute in USUAL))
    assert found() == expected(59)
    keep(world, visit("clicks", 2.5, 0), visit("clicks", 48.9, 1))
    assert found() == expected(59)
    check_refused(world, "clicks", [2.5, 48.9])
    keep(world, visit("clicks", 50.5, 0))
    outcomes |= {minutes(minute): "clicked" for minute in (48, 49, 50)}
    assert found() == expected(48.5)
    keep(world, visit("clicks", 70, 0), visit("searches", 70, 0))
    outcomes[minutes(70)] = "clicked"
    assert found() == expected(68)
