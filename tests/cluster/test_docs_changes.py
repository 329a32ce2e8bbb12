"""The job of docs/changes.md follows a real PostgreSQL through a real Debezium: its table is what `select` says."""

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from threading import Event, Thread
from types import ModuleType
from typing import Any

import psycopg
import pytest
from pyspark.sql import SparkSession

import schemas
from jobs import run
from jobs.run import Run
from tests import delta
from tests.cluster.debezium import Connector
from tests.cluster.postgres import Postgres
from tests.pages import blocks, load_module, page

PAGE = "docs/changes.md"
LARGE = "0123456789" * 500
"""More than PostgreSQL keeps in the row itself."""
STATEMENTS = [
    (
        "INSERT INTO customers VALUES (%(key)s, %(text)s, %(credit)s, now() at time zone 'UTC', %(notes)s) "
        "ON CONFLICT (id) DO UPDATE SET credit = excluded.credit",
        5,
    ),
    ("UPDATE customers SET name = %(text)s, credit = credit + 0.01 WHERE id = %(key)s", 4),
    ("UPDATE customers SET notes = %(notes)s WHERE id %% 6 = %(parity)s", 2),
    ("DELETE FROM customers WHERE id = %(key)s", 2),
    ("UPDATE customers SET id = %(new)s, notes = %(notes)s WHERE id = %(key)s", 1),
]
"""Statements, and how often they are made."""


class Shop:
    """A database in which two people work at a time."""

    def __init__(self, postgres: Postgres, seed: int) -> None:
        self.postgres, self.dice = postgres, random.Random(seed)
        self._new = 100

    def work(self, pairs: int) -> None:
        """So many pairs of transactions that overlap: who has written first may commit last, or not at all."""
        with self.postgres.connect(autocommit=False) as one, self.postgres.connect(autocommit=False) as other:
            for _ in range(pairs):
                for _ in range(3):
                    self._write(one, 0)
                    self._write(other, 1)
                for connection in self.dice.sample([one, other], 2):
                    if self.dice.random() < 0.2:
                        connection.rollback()
                    else:
                        connection.commit()

    def _write(self, connection: "psycopg.Connection[Any]", parity: int) -> None:
        """`parity`: of the keys that are written, so that nobody waits for the other."""
        self._new += 2
        number = self.dice.randint(-9999, 9999)
        values: dict[str, Any] = {
            "key": 2 * self.dice.randint(1, 9) + parity,
            "new": self._new + parity,
            "parity": parity,
        }
        values |= {"text": f"ü{number}", "credit": number / 100}
        values |= {"notes": self.dice.choice([None, f"{number} {LARGE}", f"{number}"])}
        [statement] = self.dice.choices([text for text, _ in STATEMENTS], [weight for _, weight in STATEMENTS])
        connection.execute(statement.encode(), values)

    def wait_for_a_key(self) -> None:
        """Two insert the same key. The second has written its row when it begins to wait for the first, who deletes
        the key after that, and commits before.
        """
        insert = "INSERT INTO customers VALUES (51, %s)"
        with self.postgres.connect(autocommit=False) as one, self.postgres.connect(autocommit=False) as other:
            one.execute(insert, ("first",))
            waiting = Thread(target=other.execute, args=(insert, ("second",)))
            waiting.start()
            while not self.postgres.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                time.sleep(0.05)
            one.execute("DELETE FROM customers WHERE id = 51")
            one.commit()
            waiting.join()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """People work meanwhile."""
        ends = Event()

        def work() -> None:
            while not ends.is_set():
                self.work(1)
                time.sleep(0.02)

        worker = Thread(target=work)
        worker.start()
        try:
            yield
        finally:
            ends.set()
            worker.join()

    def rows(self) -> list[tuple[Any, ...]]:
        """The table, as the database has it."""
        return self.postgres.rows("SELECT id, name, credit, since, notes FROM customers ORDER BY id")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The job of the page, with its schema file."""
    for name, _, content in blocks(page(PAGE)):
        if name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
    schema = load_module("schemas.customer", tmp_path / "schemas/customer.py")
    monkeypatch.setattr(schemas, "customer", schema, raising=False)
    return load_module("customer", tmp_path / "jobs/customer.py")


def test_the_table_is_that_of_the_database(
    spark: SparkSession, postgres: Postgres, connector: Callable[..., Connector], kafka_places: Path, job: ModuleType
) -> None:
    places = run.places(kafka_places)
    postgres.execute(
        "CREATE TABLE customers (id bigint PRIMARY KEY, name text, credit numeric(10,2), since timestamp, notes text)",
        "ALTER TABLE customers ALTER notes SET STORAGE EXTERNAL",
    )
    postgres.publish("store", "customers")
    shop = Shop(postgres, 7)

    def follow() -> None:
        """Run the job until its table is that of the database, which nobody changes now."""
        expected, until = shop.rows(), time.monotonic() + 90
        while (found := table()) != expected:
            assert time.monotonic() < until, (found, expected)
            job.main(Run(spark, places, say=lambda _: None))

    def table() -> list[tuple[Any, ...]]:
        if not Path(places.table("customer_v1")).exists():
            return []
        rows = sorted(delta.rows(places.table("customer_v1")), key=lambda row: int(row["id"]))
        carried = [json.loads(row["change_carried"]) for row in rows if row["change_carried"]]
        assert not [one for one in carried if None in one.values()], "each value was told"
        times = [row["since"] and row["since"].astimezone(UTC).replace(tzinfo=None) for row in rows]
        return [(row["id"], row["name"], row["credit"], at, row["notes"]) for row, at in zip(rows, times, strict=True)]

    shop.work(5)
    with shop.at_work():  # also while it takes its snapshot
        capture = connector("store", "public.customers", topic_creation_default_partitions="3")
    follow()
    with shop.at_work():
        time.sleep(1)
        capture.kill()
        time.sleep(0.5)
        capture.start()
    postgres.execute("TRUNCATE customers")
    shop.work(8)
    shop.wait_for_a_key()
    follow()
    assert "second" in [name for _, name, *_ in table()]

    capture.stop()  # and what happens until its next snapshot nobody tells
    postgres.execute("SELECT pg_drop_replication_slot('store')", "DELETE FROM customers WHERE id % 3 = 0")
    (capture.folder / "offsets").unlink()
    with shop.at_work():
        capture.start()
    shop.work(3)
    follow()
    rows = delta.rows(places.table("customer_v1_ledger"))
    assert sum(row["quarantined"] for row in rows) == 0
    assert any("cleared" in note for row in rows for note in row["notes"] or ())
