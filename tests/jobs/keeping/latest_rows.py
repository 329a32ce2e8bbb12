"""Whether the tables of customers are those of their database, now and at each time before."""

import random
from datetime import datetime
from typing import Any

from tests.jobs.keeping import customers
from tests.jobs.keeping.customers import Database, Message, Rows
from tests.jobs.keeping.world import World

NAMES = customers.CUSTOMERS.COLUMNS.names


def check(world: World, database: Database) -> None:
    found = {row["id"]: {name: row[name] for name in NAMES} for row in world.rows()}
    assert found == database.rows
    ledger = world.rows("_ledger")
    ends = max(ledger, key=lambda row: int(row["sequence"]))["end_offsets"]
    assert sum(row["records"] for row in ledger) == sum(end for _, end in ends)
    assert world.rows("_quarantine") == []
    assert {row["id"] for row in world.rows("_deleted")}.isdisjoint(found)
    versions = world.rows("_history")
    for time, rows in database.states:
        assert valid_at(versions, time) == rows


def valid_at(versions: list[dict[str, Any]], time: datetime) -> Rows:
    """What a reader of the history finds for a time; no key twice."""
    valid = [
        row for row in versions
        if row["valid_from"] <= time and (row["valid_to"] is None or time < row["valid_to"])
    ]  # fmt: skip
    assert len({row["id"] for row in valid}) == len(valid)
    return {row["id"]: {name: row[name] for name in NAMES} for row in valid}


def mixed(told: list[Message], dice: random.Random) -> list[Message]:
    """All of them in another order, some twice."""
    arrived = told + dice.sample(told, len(told) // 3)
    dice.shuffle(arrived)
    return arrived
