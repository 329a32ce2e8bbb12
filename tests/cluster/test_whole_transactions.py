"""Transfers in a real PostgreSQL, told by a real Debezium: each publish has the sum of the bank."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs import keeping, run
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.events.changes import debezium
from jobs.run import Run
from tests import delta
from tests.cluster.debezium import Connector
from tests.cluster.postgres import Postgres

FORM = debezium.Debezium(transactions="vault.transaction", wait="5 seconds")
TABLES = ("checking", "savings")
COLUMNS = StructType(
    [StructField("id", LongType(), False), StructField("balance", LongType()), StructField("note", StringType())]
)
PEOPLE = 20
LARGE = "opened " * 1_000
"""PostgreSQL stores it apart from the row."""


def columns(changes: DataFrame) -> DataFrame:
    """All of them."""
    return changes


TOPICS = [SimpleNamespace(TOPIC=f"vault.public.{table}", COLUMNS=COLUMNS) for table in TABLES]
RESULT = Result(
    "vault_v1",
    tuple(Reads(topic, columns, form=FORM) for topic in TOPICS),
    tuple(Latest(("id",), topic=topic.TOPIC).named(table) for topic, table in zip(TOPICS, TABLES, strict=True)),
)


def transfer(postgres: Postgres, ends: Event) -> None:
    """Move money between random accounts until it ends, also many at a time."""
    dice = random.Random(3)
    with postgres.connect(autocommit=False) as connection:
        while not ends.is_set():
            for _ in range(dice.choice([1, 1, 1, 60])):
                amount = dice.randint(-50, 50)
                for sign, table in zip((1, -1), dice.choices(TABLES, k=2), strict=True):
                    statement = f"UPDATE {table} SET balance = balance + %s WHERE id = %s"
                    connection.execute(statement.encode(), (sign * amount, dice.randint(1, PEOPLE)))
            if dice.random() < 0.1:
                connection.rollback()
            connection.commit()
            time.sleep(0.1)


@pytest.mark.long
def test_each_publish_has_the_sum_of_the_bank(
    spark: SparkSession, postgres: Postgres, connector: Callable[..., Connector], kafka_places: Path
) -> None:
    places = run.places(kafka_places)
    for table in TABLES:
        postgres.execute(
            f"CREATE TABLE {table} (id bigint PRIMARY KEY, balance bigint, note text)",
            f"ALTER TABLE {table} ALTER note SET STORAGE EXTERNAL",
            f"INSERT INTO {table} SELECT number, 100, '{LARGE}' FROM generate_series(1, {PEOPLE}) AS number",
        )
    postgres.publish("vault", *TABLES)
    groups = {"topic_creation_groups": "marks", "topic_creation_marks_include": "vault\\\\.transaction"}
    groups |= {"topic_creation_marks_partitions": "1", "topic_creation_marks_replication_factor": "1"}
    options = {"provide_transaction_metadata": "true", "topic_creation_default_partitions": "3"}
    capture = connector("vault", *(f"public.{table}" for table in TABLES), **options, **groups)

    def rows() -> dict[str, list[tuple[Any, ...]]]:
        found = {table: delta.rows(places.table(f"vault_v1_{table}")) for table in TABLES}
        return {table: sorted((one["id"], one["balance"]) for one in found[table]) for table in TABLES}

    def keep() -> None:
        keeping.keep(Run(spark, places, say=lambda _: None), RESULT)

    def total() -> int:
        return sum(balance for found in rows().values() for _, balance in found)

    def caught() -> bool:
        """Whether a publish has found changes that wait for the rest of their transaction."""
        found = (row["transactions"] or {} for row in delta.rows(places.table("vault_v1_ledger")))
        return any(dict(one)["waiting"] for by_topic in found for one in dict(by_topic).values())

    ends = Event()
    worker = Thread(target=transfer, args=(postgres, ends))
    worker.start()
    try:
        publish = 0
        while publish < 3 or not caught():
            if publish == 1:
                capture.kill()
                capture.start()
            keep()
            assert total() == 2 * PEOPLE * 100, publish
            publish += 1
            assert publish < 40, "no publish came while a transaction was on its way"
    finally:
        ends.set()
        worker.join()
    # A key is changed; PostgreSQL does not tell the large value beside it. Columns come and go.
    postgres.execute(
        "UPDATE checking SET id = 1000 WHERE id = 5",
        "ALTER TABLE savings ADD vip boolean DEFAULT true, DROP note",
        "UPDATE savings SET balance = balance WHERE id = 1",
        "ALTER TABLE checking ALTER note TYPE jsonb USING null",
        "UPDATE checking SET balance = balance, note = '[1]' WHERE id = 2",
        "UPDATE savings SET vip = false WHERE id = 3",
    )
    expected = {
        table: postgres.rows(f"SELECT id::bigint, balance FROM {table} ORDER BY id::bigint") for table in TABLES
    }
    until = time.monotonic() + 120
    while rows() != expected:
        assert time.monotonic() < until, (rows(), expected)
        keep()
    notes = {
        table: {row["id"]: row["note"] for row in delta.rows(places.table(f"vault_v1_{table}"))} for table in TABLES
    }
    assert notes["checking"][1000] == LARGE
    assert notes["savings"][1] is notes["savings"][3] is None, "changed since the column is gone"
    assert notes["savings"][2] == LARGE

    # A change that cannot be read is in quarantine, and those behind it are shown all the same.
    postgres.execute(
        "ALTER TABLE savings ALTER balance TYPE text USING 'much'", "UPDATE savings SET balance = 'more' WHERE id = 4"
    )
    until = time.monotonic() + 120
    while not (wrong := delta.rows(places.table("vault_v1_quarantine"))):
        assert time.monotonic() < until
        keep()
    assert [(row["reason"], row["field"]) for row in wrong] == [("wrong_type", "balance")]
    postgres.execute("UPDATE checking SET balance = 7 WHERE id = 1")
    while (1, 7) not in rows()["checking"]:
        assert time.monotonic() < until
        postgres.execute("UPDATE checking SET balance = balance WHERE id = 2")
        keep()
    told = [note for row in delta.rows(places.table("vault_v1_ledger")) for note in row["notes"] or ()]
    assert "1 transaction was published in part: 5 seconds after the end some changes have not come" in told
