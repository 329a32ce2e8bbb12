"""Random statements on a real PostgreSQL, told by a real Debezium: the tables are what PostgreSQL's `select` says."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs import keeping, run
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.answers.versions import Versions
from jobs.events.changes import debezium
from jobs.run import Run
from tests import delta
from tests.cluster.debezium import Connector
from tests.cluster.postgres import Postgres
from tests.jobs.keeping.laws import law

LARGE = "0123456789" * 500
"""More than PostgreSQL keeps in the row itself."""
TABLES = ("parcels", "crates")
IDS = st.integers(1, 6)


def statements(table: str) -> st.SearchStrategy[str]:
    """One statement on a table. A changed key tells the large value again: else nobody could know it."""
    place = st.sampled_from(["'Bern'", "'Basel'", "NULL"])
    note = st.sampled_from([f"repeat('{LARGE}', 2)", "'short'", "NULL"])
    insert = st.builds(
        lambda key, where, text: f"INSERT INTO {table} VALUES ({key}, {where}, {text}) ON CONFLICT DO NOTHING",
        *(IDS, place, note),
    )
    update = st.builds(lambda key, where: f"UPDATE {table} SET place = {where} WHERE id = {key}", IDS, place)
    renote = st.builds(lambda key, text: f"UPDATE {table} SET note = {text} WHERE id >= {key}", IDS, note)
    move = st.builds(
        lambda old, new: (
            f"UPDATE {table} SET id = {new}, note = note || '!' WHERE id = {old} "
            f"AND NOT EXISTS (SELECT FROM {table} WHERE id = {new})"
        ),
        *(IDS, IDS),
    )
    delete = st.builds(lambda key: f"DELETE FROM {table} WHERE id = {key}", IDS)
    return st.one_of(insert, insert, update, renote, move, delete, st.just(f"TRUNCATE {table}"))


ONE_STATEMENT = st.sampled_from(TABLES).flatmap(statements)
TRANSACTIONS = st.tuples(
    st.sampled_from(["COMMIT", "COMMIT", "ROLLBACK"]), st.lists(ONE_STATEMENT, min_size=1, max_size=4)
)
ACCIDENTS = st.tuples(
    st.sampled_from(["kill", "snapshot", "run", "restart the database"]), st.lists(ONE_STATEMENT, max_size=0)
)
HISTORIES = st.lists(st.one_of(TRANSACTIONS, TRANSACTIONS, TRANSACTIONS, ACCIDENTS), min_size=5, max_size=25)
EXAMPLE: list[tuple[str, list[str]]] = [
    (
        "COMMIT",
        [f"INSERT INTO parcels VALUES (1, 'Bern', repeat('{LARGE}', 2))", "INSERT INTO crates VALUES (1, 'Bern')"],
    ),
    ("run", []),
    ("ROLLBACK", ["DELETE FROM parcels WHERE id = 1", "INSERT INTO crates VALUES (2, 'Basel')"]),
    ("COMMIT", ["UPDATE parcels SET place = 'Basel' WHERE id = 1"]),
    ("kill", []),
    ("snapshot", []),
    ("COMMIT", ["UPDATE crates SET id = 5, note = 'x' WHERE id = 1", "DELETE FROM parcels WHERE id = 1"]),
    ("COMMIT", ["INSERT INTO parcels VALUES (1, 'Bern', 'short')", "UPDATE crates SET place = NULL"]),
    ("restart the database", []),
    ("COMMIT", ["TRUNCATE parcels", "INSERT INTO parcels VALUES (2, NULL, 'short')"]),
]


def columns(changes: DataFrame) -> DataFrame:
    """All of them."""
    return changes


def topic(table: str) -> Any:
    """The schema of a table's changes."""
    fields = [
        StructField("id", LongType(), False),
        StructField("place", StringType()),
        StructField("note", StringType()),
    ]
    return SimpleNamespace(TOPIC=f"random.public.{table}", COLUMNS=StructType(fields))


def answers(table: str) -> tuple[Any, Any]:
    """The latest rows of a table, and their history."""
    name = f"random.public.{table}"
    return (
        Latest(key=("id",), topic=name).named(table),
        Versions(key=("id",), topic=name).named(f"{table}_history"),
    )


RESULT = Result(
    "random_v1",
    tuple(Reads(topic(table), columns, form=debezium.CHANGES) for table in TABLES),
    tuple(answer for table in TABLES for answer in answers(table)),
)


@pytest.fixture(scope="module")
def capture(postgres: Postgres, connector: Callable[..., Connector]) -> Connector:
    """A connector that streams the changes of both tables, which are empty."""
    for table in TABLES:
        postgres.execute(
            f"CREATE TABLE {table} (id bigint PRIMARY KEY, place text, note text)",
            f"ALTER TABLE {table} ALTER note SET STORAGE EXTERNAL",
        )
    postgres.execute("CREATE TABLE signals (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048))")
    postgres.publish("random", *TABLES, signals="signals")
    names = [f"public.{table}" for table in (*TABLES, "signals")]
    return connector("random", *names, signals="public.signals", topic_creation_default_partitions="2")


@pytest.mark.long
@pytest.mark.timeout(1200)
@law
@example(history=EXAMPLE)
@given(history=HISTORIES)
def test_the_tables_are_those_of_the_database(
    history: list[tuple[str, list[str]]], spark: SparkSession, postgres: Postgres, capture: Connector,
    kafka_places: Path,
) -> None:  # fmt: skip
    places = run.places(kafka_places)
    for table in TABLES:  # a key that nothing else touches: so both topics have a record before the first run
        postgres.execute(f"INSERT INTO {table} VALUES (99, 'stays') ON CONFLICT DO NOTHING")

    def keep() -> None:
        keeping.keep(Run(spark, places, say=lambda _: None), RESULT)

    def rows(table: str, *, current: bool = False) -> list[tuple[Any, ...]]:
        path = places.table(f"random_v1_{table}")
        found = delta.rows(path) if Path(path).exists() else []
        kept = [row for row in found if not current or row["valid_to"] is None]
        return sorted((row["id"], row["place"], row["note"]) for row in kept)

    for what, made in history:
        if what in ("COMMIT", "ROLLBACK"):
            with postgres.connect(autocommit=False) as connection:
                for statement in made:
                    connection.execute(statement.encode())
                connection.commit() if what == "COMMIT" else connection.rollback()
        elif what == "kill":
            capture.kill()
            capture.start()
        elif what == "snapshot":
            capture.ask_for_snapshot(*(f"public.{table}" for table in TABLES))
        elif what == "restart the database":
            postgres.kill()
            postgres.start()
        else:
            keep()
    until = time.monotonic() + 120
    while True:
        keep()
        expected = {table: sorted(postgres.rows(f"SELECT id, place, note FROM {table}")) for table in TABLES}
        found = {table: rows(table) for table in TABLES}
        if found == expected:
            break
        assert time.monotonic() < until, (found, expected)
        time.sleep(1)
    assert {table: rows(f"{table}_history", current=True) for table in TABLES} == expected
