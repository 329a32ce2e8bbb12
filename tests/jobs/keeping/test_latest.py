"""The latest rows of a table are those that the database has, and its history has those that it had, whatever the order
in which changes come.
"""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.admin import completeness
from jobs.answers.delivery import Topic
from jobs.keeping import housekeeping, ledger
from jobs.keeping.requeue import requeue
from jobs.run import Run
from tests.jobs.keeping import customers
from tests.jobs.keeping.customers import RESULT, Database, Message, Rows
from tests.jobs.keeping.latest_rows import NAMES, check, mixed
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.world import World

ACCIDENTS = ("", "replay", "lose", "after events", "before publish", "after publish", "before ledger")


@law
@given(
    seed=st.integers(0, 999),
    cuts=st.lists(st.integers(1, 79), min_size=1, max_size=2, unique=True).map(sorted),
    size=st.sampled_from([19, 1000]),
    accidents=st.lists(st.sampled_from(ACCIDENTS), min_size=3, max_size=3),
)
@example(seed=4, cuts=[50], size=1000, accidents=["after events", "replay", ""])
@example(seed=11, cuts=[30, 60], size=39, accidents=["before publish", "after publish", "lose"])  # fmt: skip
def test_any_order_any_cut_and_any_accident(
    seed: int, cuts: list[int], size: int, accidents: list[str], spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    database = Database(seed)
    for _ in range(40):
        database.change()
    database.forget(10)
    for _ in range(40):
        database.change()
    arrived = mixed(database.told, random.Random(seed))
    world = World(spark, tmp_path_factory.mktemp("latest"), RESULT)
    for first, after, accident in zip([0, *cuts], [*cuts, len(arrived)], accidents, strict=False):
        customers.append(world.places, arrived[first:after])
        if world.keep(size, crash=accident):
            {"replay": world.replay_batch, "lose": world.lose_checkpoint}.get(accident, lambda: None)()
    world.keep(size)
    check(world, database)


def test_what_a_publish_changes_is_in_the_feed(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes that are published leave their table; rows that a snapshot does not show are cleared, and counted."""
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 1)
    database = Database(5)
    world = World(spark, tmp_path, replace(RESULT, deliver=(Topic("customers_out"),)))
    tables = list[Rows]()
    for statements, forgotten in ((30, 0), (0, 25), (1, 0)):
        told = len(database.told)
        for _ in range(statements):
            database.change()
        if forgotten:
            database.forget(forgotten)
        customers.append(world.places, database.told[told:])
        world.keep()
        check(world, database)
        assert world.rows(f"_{customers.CUSTOMERS.TOPIC}") == []
        tables.append(database.rows.copy())
    applied = Rows()
    for row in sorted(world.rows("_feed"), key=lambda one: int(one["sequence"])):
        applied.pop(row["id"], None)
        if row["change"] != "withdrawn":
            applied[row["id"]] = {name: row[name] for name in NAMES}
    assert applied == tables[-1]
    [note] = [note for row in world.rows("_ledger") for note in row["notes"] or () if "cleared" in note]
    gone = len(tables[0].keys() - tables[1].keys())
    assert gone and note.startswith(f"{gone} rows were cleared: a snapshot or a TRUNCATE")


def test_records_that_are_no_change_wait_in_quarantine(spark: SparkSession, tmp_path: Path) -> None:
    database = Database(3)
    for _ in range(20):
        database.change()
    world = World(spark, tmp_path, RESULT)
    after = {"id": "x", "name": None, "credit": None, "body": None}
    source = {"name": "shop", "sequence": '["4900","5000"]', "ts_ms": 1_714_500_000_000}
    wrong: list[Message] = [(1, {"id": 1}), (1, {"op": "u", "after": after, "source": source}), (None, {"op": "q"})]
    customers.append(world.places, [*database.told, *wrong])
    world.keep()
    waiting = world.rows("_quarantine")
    faults = sorted((row["reason"], row["field"] or "") for row in waiting)
    assert faults == [("not_a_change", ""), ("not_a_change", ""), ("wrong_type", "id")]
    assert {row["id"]: {name: row[name] for name in NAMES} for row in world.rows()} == database.rows
    [value] = [row["value"] for row in waiting if row["field"]]
    assert json.loads(value)["after"] == after, "whole, as it was written"
    last = ledger.last(world.places, RESULT.name)
    assert last and completeness.read(last, RESULT.topics, None) is None, "no row of changes is final"
    said = list[str]()
    requeue(Run(spark, world.places, say=said.append), RESULT)
    assert said == ["customer_v1: nothing to requeue, 3 records wait in quarantine and none can be read yet"]
