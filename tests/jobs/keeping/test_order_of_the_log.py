"""Events that come out of order, but not late, give the rows of those in order."""

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.answers.result import Reads
from jobs.answers.sequences import Sequences
from jobs.answers.sliding import Sliding
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from tests.jobs.keeping import searches
from tests.jobs.keeping.searches import ALLOWED, ALONE, BOTH, Visit, Visits
from tests.jobs.keeping.searches_by_hand import CLICKED, VISITS

KINDS: dict[str, tuple[Any, Reads | tuple[Reads, ...]]] = {
    "windows": (
        Windows(Panes("1 minute", ("user",), uniques=("words",), counts=("is_last",)), Tumbling("5 minutes")),
        ALONE,
    ),
    "sessions": (VISITS, ALONE),
    "outcomes": (CLICKED, BOTH),
    "sliding and sequences": (
        (
            Sliding(("user",), "2 minutes", count="searches", uniques=("words",), least=2),
            Sequences("p+l", {"l": "is_last", "p": "is_search"}, ("user",), "2 minutes", restart="3 minutes").named(
                "hints"
            ),
        ),
        ALONE,
    ),
}
NOT_OF_EVENTS = ("_partition", "_offset", "updated_time", "_sketch")
"""Ends of the names of columns that say where an event stands in the log, or when a row was written. A sketch of few
values lists them as they came; its estimate is a column of its own.
"""


def in_order(seed: int) -> list[Visit]:
    """Visits each at a second of its own: what has the same time is told apart by its place in the log."""
    dice, at, visits = random.Random(seed), searches.START, []
    for number in range(90):
        at += timedelta(seconds=dice.choice([1, 5, 20, 45]))
        topic, user = dice.choice(["searches", "searches", "clicks"]), dice.choice(["ann", "bob", None])
        visits.append(Visit(topic, user, at, f"w{number}", dice.random() < 0.3))
    return visits


def out_of_order(visits: list[Visit], seed: int) -> list[Visit]:
    """The same, each written up to ALLOWED after its time."""
    dice = random.Random(seed)
    return sorted(visits, key=lambda visit: visit.at + ALLOWED * dice.random())


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_order_within_what_is_allowed_changes_nothing(kind: str, spark: SparkSession, tmp_path: Path) -> None:
    answers, reads = KINDS[kind]
    visits, found = in_order(1), []
    orders: dict[str, Callable[[], list[Visit]]] = {"in": lambda: visits, "out": lambda: out_of_order(visits, 2)}
    for name, order in orders.items():
        world = Visits(spark, tmp_path / name, searches.result("r_v1", answers, reads))
        world.add(order())
        world.keep(50)
        names = world.result.answer_keys
        found.append({name: events_of(world.rows(f"_{name}" if name else "")) for name in names})
        ledger = world.rows("_ledger")
        assert sum(row["late"] for row in ledger) == len(world.rows("_stragglers")) == 0
        assert (sum(row["out_of_order"] for row in ledger) > 10) == (name == "out")
        assert sum(row["records"] for row in ledger) == len(world.visits_read())
    assert found[0] == found[1]
    assert all(rows for rows in found[0].values())


def events_of(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What these rows say of events."""
    return searches.by_key([{name: row[name] for name in row if not name.endswith(NOT_OF_EVENTS)} for row in rows])
