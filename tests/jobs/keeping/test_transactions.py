"""With the topic of transactions, each publish shows what the database was after some commit."""

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.answers.versions import Versions
from jobs.answers.views.view import View
from jobs.events.changes import debezium
from jobs.keeping import housekeeping
from jobs.log.archive import writer
from jobs.running.errors import Mistake, Refused
from tests.jobs.admin import command
from tests.jobs.bank_log import PREFIX, TABLES, TRANSACTIONS, Bank, Record
from tests.jobs.keeping.world import World

COLUMNS = StructType([StructField("id", LongType(), False), StructField("balance", LongType())])
TOPICS = CHECKING, SAVINGS = [f"{PREFIX}.{table}" for table in TABLES]


def columns(changes: DataFrame) -> DataFrame:
    """All of them."""
    return changes


FORM = debezium.Debezium(transactions=TRANSACTIONS, wait="1 hour")
READS = tuple(Reads(SimpleNamespace(TOPIC=name, COLUMNS=COLUMNS), columns, form=FORM) for name in TOPICS)
RESULT = Result(
    "bank_v1",
    READS,
    (
        Latest(("id",), topic=CHECKING).named("checking"),
        Latest(("id",), topic=SAVINGS).named("savings"),
        Versions(("id",), topic=SAVINGS).named("history"),
        View(
            "select 'all' as what, sum(balance)::bigint as total from (from checking union all from savings)",
            key=("what",),
        ),
    ),
)


def append(world: World, records: list[Record]) -> None:
    """Write these into the log: tables have two partitions."""
    now = datetime.now(UTC)
    for topic in (*TOPICS, TRANSACTIONS):
        pairs = [
            (json.dumps(key).encode(), json.dumps(value).encode()) for name, key, value in records if name == topic
        ]
        keys, values = (pa.array([pair[at] for pair in pairs], pa.binary()) for at in (0, 1))
        times = pa.array([now] * len(pairs), pa.timestamp("us", "UTC"))
        batch = pa.record_batch({"key": keys, "value": values, "timestamp": times})
        writer.append(world.places.archive, topic, 1 if topic == TRANSACTIONS else 2, [batch])


def balances(world: World) -> dict[tuple[str, int], int]:
    """The latest rows of both tables."""
    return {
        (table, row["id"]): row["balance"]
        for table in TABLES
        for row in world.rows(f"_{table.removeprefix('public.')}")
    }


def ledger(world: World) -> dict[str, Any]:
    """What its last row says of transactions."""
    last = max(world.rows("_ledger"), key=lambda row: int(row["sequence"]))
    found: dict[str, Any] = dict(last["transactions"])[TRANSACTIONS]
    return found


def test_a_publish_shows_whole_transactions(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Changes wait for their end, for each other, and behind those before them, also as kept ones are removed."""
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 1)
    bank, world = Bank(4), World(spark, tmp_path, RESULT)
    for _ in range(6):
        bank.transfer()
    ends = [at for at, (_, _, value) in enumerate(bank.log) if value.get("status") == "END"]
    marks = [one for one in bank.log[ends[2] :] if one[0] == TRANSACTIONS]
    savings = [one for one in bank.log[ends[3] :] if one[0] == SAVINGS]
    assert savings, "the last two have changes there"
    append(world, bank.log[: ends[1]])  # the second has no end yet
    world.keep()
    assert balances(world) == bank.states[1]
    assert ledger(world)["waiting"] == sum(one[0] != TRANSACTIONS for one in bank.log[ends[0] : ends[1]])
    append(world, [one for one in bank.log[ends[1] :] if one not in (*marks, *savings)])
    world.keep()
    assert balances(world) == bank.states[2], "the others have no end"
    assert command.run("status", "bank_v1", "--places", str(places_file(world))) == 0
    assert f"{ledger(world)['waiting']:,} changes wait for the rest of their transactions" in capsys.readouterr().out
    append(world, marks)
    world.keep()
    assert balances(world) == bank.states[4], "the fifth lacks changes"
    append(world, savings)
    world.keep()
    assert balances(world) == bank.states[-1]
    assert ledger(world)["waiting"] == 0
    assert {row["total"] for row in world.rows()} == {600}
    valid = {row["id"]: row["balance"] for row in world.rows("_history") if row["valid_to"] is None}
    assert valid == {id_: balance for (table, id_), balance in bank.rows.items() if table == "public.savings"}


def places_file(world: World) -> Path:
    """Names the places of a world."""
    path = world.folder / "places.toml"
    places = world.places
    path.write_text("".join(f'{one} = "{getattr(places, one)}"\n' for one in ("archive", "tables", "checkpoints")))
    return path


def test_what_cannot_be_followed_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    answer = Latest(("id",))
    topic = SimpleNamespace(TOPIC=CHECKING, COLUMNS=COLUMNS)
    with pytest.raises(Mistake, match=r"bank\.public\.checking is not of the database whose .* shop\.transaction"):
        Result("bank_v1", Reads(topic, columns, form=debezium.Debezium(transactions="shop.transaction")), answer)
    with pytest.raises(Mistake, match="rows alone do not say of which transaction they are"):
        debezium.Debezium(transactions=TRANSACTIONS, is_flat=True)
    world = World(spark, tmp_path, RESULT)
    append(world, Bank(1).log)
    with pytest.raises(Refused, match=r"bank\.transaction has 2 partitions"):
        empty = pa.record_batch({"key": [b""], "value": [b"{}"], "timestamp": pa.array([0], pa.timestamp("us", "UTC"))})
        other = World(spark, tmp_path / "other", RESULT)
        writer.append(other.places.archive, TRANSACTIONS, 2, [empty, empty])
        for topic_name in TOPICS:
            writer.append(other.places.archive, topic_name, 2, [empty])
        other.keep()
