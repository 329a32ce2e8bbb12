"""What a real Debezium sends about the changes of a real PostgreSQL: what the rest of the project builds on."""

import json
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.cluster.broker import Broker
from tests.cluster.debezium import Connector
from tests.cluster.postgres import REPLICATOR, REPLICATOR_PASSWORD, Postgres

TABLES = {
    "parcels": "(id int PRIMARY KEY, place text)",
    "moved": "(id int PRIMARY KEY, place text)",
    "notes": "(id int PRIMARY KEY, place text, note text)",
    "old_notes": "(id int PRIMARY KEY, place text, note text)",
    "shelves": "(id int PRIMARY KEY, place text)",
    "boxes": "(id int PRIMARY KEY, place text)",
    "orders": "(id int PRIMARY KEY, place text)",
    "lines": "(id int PRIMARY KEY, place text)",
    "turns": "(id int PRIMARY KEY, place text)",
    "copied": "(id int PRIMARY KEY, place text)",
    "counted": "(id int PRIMARY KEY)",
    "kept": "(id int PRIMARY KEY, place text)",
    "flat": "(id int PRIMARY KEY, place text NOT NULL DEFAULT 'nowhere')",
}
LARGE = "0123456789" * 1000
"""More than PostgreSQL keeps in the row itself."""
LAST = 999
"""The id of the row after which a test has seen everything."""


@pytest.fixture(scope="module")
def shop(postgres: Postgres, connector: Callable[..., Connector]) -> Connector:
    """A connector that streams the changes of TABLES, which have two rows in all."""
    for table, columns in TABLES.items():
        postgres.execute(f"CREATE TABLE {table} {columns}")
    for table in ("notes", "old_notes"):
        postgres.execute(f"ALTER TABLE {table} ALTER note SET STORAGE EXTERNAL")
    postgres.execute(
        "ALTER TABLE old_notes REPLICA IDENTITY FULL",
        "CREATE TABLE signals (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048))",
        "INSERT INTO kept VALUES (1, 'left'), (2, 'right')",
    )
    postgres.publish("shop", *TABLES, signals="signals")
    names = [f"public.{table}" for table in (*TABLES, "signals")]
    return connector("shop", *names, signals="public.signals", provide_transaction_metadata="true")


class Record:
    """A record of Kafka's with its JSON read."""

    def __init__(self, message: Any) -> None:
        self.key: Any = json.loads(message.key()) if message.key() is not None else None
        self.value: Any = json.loads(message.value()) if message.value() is not None else None
        self.headers = {name: value.decode() for name, value in message.headers() or []}

    @property
    def change(self) -> tuple[Any, ...]:
        """What happened to the row, before and after."""
        return (self.value["op"], self.value["before"], self.value["after"]) if self.value else ("tombstone",)

    @property
    def lsn(self) -> Any:
        """Where in the database's log the change stands."""
        return self.value["source"]["lsn"]


def read(broker: Broker, topic: str, is_last: Callable[[Record], bool]) -> list[Record]:
    """The records of a topic up to the first that `is_last`, which may still have to come."""
    options = {"bootstrap.servers": broker.servers, "group.id": "look", "log_level": 0}
    consumer = Consumer(options | {"topic.metadata.refresh.interval.ms": 200})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Record] = []
    until = time.monotonic() + 60
    while not (found and is_last(found[-1])):
        assert time.monotonic() < until, [record.value for record in found]
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.append(Record(message))
    consumer.close()
    return found


def changes(broker: Broker, postgres: Postgres, table: str, *statements: str) -> list[Record]:
    """What comes of statements on a table, without the row that marks the end."""
    postgres.execute(*statements, f"INSERT INTO {table} (id) VALUES ({LAST})")
    return read(broker, f"shop.public.{table}", lambda record: record.key == {"id": LAST})[:-1]


def test_insert_update_and_delete(broker: Broker, postgres: Postgres, shop: Connector) -> None:
    found = changes(
        *(broker, postgres, "parcels"),
        "INSERT INTO parcels VALUES (7, 'Bern')",
        "UPDATE parcels SET place = 'Basel' WHERE id = 7",
        "DELETE FROM parcels WHERE id = 7",
        "DELETE FROM parcels WHERE id = 8",
    )
    assert [record.change for record in found] == [
        ("c", None, {"id": 7, "place": "Bern"}),
        ("u", None, {"id": 7, "place": "Basel"}),
        ("d", {"id": 7, "place": None}, None),
        ("tombstone",),
    ]
    assert [record.key for record in found] == [{"id": 7}] * 4
    lsns = [record.lsn for record in found[:3]]
    assert all(isinstance(lsn, int) and lsn > 0 for lsn in lsns) and lsns == sorted(set(lsns))
    assert [json.loads(record.value["source"]["sequence"])[1] for record in found[:3]] == [str(lsn) for lsn in lsns]


def test_a_primary_key_that_changes_is_a_delete_and_an_insert_with_one_lsn(
    broker: Broker, postgres: Postgres, shop: Connector
) -> None:
    statements = ["INSERT INTO moved VALUES (1, 'Bern')", "UPDATE moved SET id = 2"]
    _, deleted, tombstone, created = changes(broker, postgres, "moved", *statements)
    assert (deleted.key, deleted.change) == ({"id": 1}, ("d", {"id": 1, "place": None}, None))
    assert (tombstone.key, tombstone.change) == ({"id": 1}, ("tombstone",))
    assert (created.key, created.change) == ({"id": 2}, ("c", None, {"id": 2, "place": "Bern"}))
    assert deleted.lsn == created.lsn
    assert json.loads(deleted.headers["__debezium.newkey"]) == {"id": 2}
    assert json.loads(created.headers["__debezium.oldkey"]) == {"id": 1}


def test_a_large_value_that_is_unchanged_is_not_sent(broker: Broker, postgres: Postgres, shop: Connector) -> None:
    """Unless the table has REPLICA IDENTITY FULL."""
    for table, sent in (("notes", "__debezium_unavailable_value"), ("old_notes", LARGE)):
        insert = f"INSERT INTO {table} VALUES (1, 'Bern', '{LARGE}')"
        created, updated = changes(broker, postgres, table, insert, f"UPDATE {table} SET place = 'Basel'")
        assert created.value["after"]["note"] == LARGE
        assert updated.value["after"] == {"id": 1, "place": "Basel", "note": sent}
    assert updated.value["before"] == {"id": 1, "place": "Bern", "note": LARGE}


def test_truncate_is_a_record_without_key_for_each_table(broker: Broker, postgres: Postgres, shop: Connector) -> None:
    postgres.execute("INSERT INTO shelves VALUES (1)", "INSERT INTO boxes VALUES (1)", "TRUNCATE shelves, boxes")
    lsns = []
    for table in ("shelves", "boxes"):
        _, truncated = changes(broker, postgres, table)
        assert (truncated.key, truncated.change) == (None, ("t", None, None))
        assert truncated.value["source"]["table"] == table
        lsns.append(truncated.lsn)
    assert lsns[0] == lsns[1]


def test_a_transaction_has_a_beginning_and_an_end_that_counts_its_changes(
    broker: Broker, postgres: Postgres, shop: Connector
) -> None:
    postgres.transaction(
        "INSERT INTO orders VALUES (1, 'Bern')",
        "INSERT INTO lines VALUES (1, 'Bern'), (2, 'Bern')",
        "UPDATE orders SET place = 'Basel'",
    )
    order, update = changes(broker, postgres, "orders")
    first, second = changes(broker, postgres, "lines")
    found = [record.value["transaction"] for record in (order, first, second, update)]
    [number] = {transaction["id"].partition(":")[0] for transaction in found}
    assert int(number) == order.value["source"]["txId"]
    assert [(one["total_order"], one["data_collection_order"]) for one in found] == [(1, 1), (2, 1), (3, 2), (4, 2)]

    def is_end(record: Record) -> bool:
        return record.value["status"] == "END" and record.value["id"].startswith(f"{number}:")

    told = read(broker, "shop.transaction", is_end)
    begin, end = (record.value for record in told if record.value["id"].startswith(f"{number}:"))
    assert (begin["status"], begin["event_count"], begin["data_collections"]) == ("BEGIN", None, None)
    assert end["event_count"] == 4
    assert {one["data_collection"]: one["event_count"] for one in end["data_collections"]} == {
        "public.orders": 2,
        "public.lines": 2,
    }


def test_transactions_come_in_the_order_of_their_commits_and_the_lsn_goes_back(
    broker: Broker, postgres: Postgres, shop: Connector
) -> None:
    """The lsn says when a row was written, not when it was committed."""
    with postgres.connect(autocommit=False) as slow:
        slow.execute("INSERT INTO turns VALUES (1, 'written first')")
        postgres.execute("INSERT INTO turns VALUES (2, 'committed first')")
    found = changes(broker, postgres, "turns")
    assert [record.key["id"] for record in found] == [2, 1]
    assert found[0].lsn > found[1].lsn
    ends = [[int(lsn) for lsn in json.loads(record.value["source"]["sequence"])] for record in found]
    assert ends[0] < ends[1]


def test_rows_that_are_copied_in_one_go_share_an_lsn(broker: Broker, postgres: Postgres, shop: Connector) -> None:
    with postgres.connect() as connection, connection.cursor().copy("COPY copied FROM STDIN") as copy:
        for number in range(3):
            copy.write_row((number, "Bern"))
    found = changes(broker, postgres, "copied")
    assert [record.key["id"] for record in found] == [0, 1, 2]
    assert len({record.lsn for record in found}) == 1


def test_snapshots(broker: Broker, postgres: Postgres, shop: Connector) -> None:
    """The first one, and one that is asked for while changes come."""
    shop.ask_for_snapshot("public.kept")
    found = read(broker, "shop.public.kept", lambda record: (record.key["id"], record.lsn) == (2, None))
    first, again = found[:2], found[2:]
    rows = [("r", None, {"id": 1, "place": "left"}), ("r", None, {"id": 2, "place": "right"})]
    assert [record.change for record in first] == [record.change for record in again] == rows
    assert len({record.lsn for record in first}) == 1 and first[0].lsn > 0
    assert [record.value["source"]["snapshot"] for record in again] == ["incremental"] * 2
    signals = read(broker, "shop.public.signals", lambda record: record.key["id"].endswith("-close"))
    asked = [record.value["after"]["type"] for record in signals]
    assert asked == ["execute-snapshot", "snapshot-window-open", "snapshot-window-close"]


def test_flat_records_with_their_schema(
    broker: Broker, postgres: Postgres, shop: Connector, connector: Callable[..., Connector]
) -> None:
    postgres.publish("flat", "flat")
    connector("flat", "public.flat", schemas=True, unwrap=True)
    postgres.execute("INSERT INTO flat VALUES (1, 'Bern')", "DELETE FROM flat", f"INSERT INTO flat VALUES ({LAST})")
    found = read(broker, "flat.public.flat", lambda record: record.key["payload"] == {"id": LAST})
    created, deleted, last = (record.value["payload"] for record in found)
    assert created.items() >= {"id": 1, "place": "Bern", "__deleted": "false", "__op": "c"}.items()
    assert deleted.items() >= {"id": 1, "place": "nowhere", "__deleted": "true", "__op": "d"}.items()
    assert created["__lsn"] < deleted["__lsn"] < last["__lsn"]
    types = {field["field"]: field["type"] for field in found[0].value["schema"]["fields"]}
    assert types.items() >= {"id": "int32", "place": "string", "__lsn": "int64"}.items()


def test_who_replicates_may_read_and_not_write(postgres: Postgres, shop: Connector) -> None:
    assert postgres.rows("SELECT rolsuper, rolreplication FROM pg_roles WHERE rolname = %s", REPLICATOR) == [
        (False, True)
    ]
    with postgres.connect(REPLICATOR, REPLICATOR_PASSWORD) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("INSERT INTO kept VALUES (3)")


def test_killed_connector_and_killed_database_lose_nothing(broker: Broker, postgres: Postgres, shop: Connector) -> None:
    """What was committed arrives in order, perhaps repeated with the same lsn; what was not committed never does."""
    postgres.execute("INSERT INTO counted SELECT generate_series(1, 300)")
    read(broker, "shop.public.counted", lambda record: record.key["id"] > 1)
    shop.kill()
    postgres.execute("INSERT INTO counted SELECT generate_series(301, 500)")
    shop.start()
    with postgres.connect(autocommit=False) as never_committed:
        never_committed.execute("INSERT INTO counted VALUES (600)")
        postgres.execute("INSERT INTO counted VALUES (501)")
        postgres.kill()
        postgres.start()
        with pytest.raises(psycopg.OperationalError):
            never_committed.commit()
    found = changes(broker, postgres, "counted")
    numbers = [record.key["id"] for record in found]
    assert set(numbers) == set(range(1, 502))
    assert all(after <= before + 1 for before, after in pairwise(numbers))
    places = {(record.key["id"], record.lsn, record.value["source"]["sequence"]) for record in found}
    assert len(places) == 501
