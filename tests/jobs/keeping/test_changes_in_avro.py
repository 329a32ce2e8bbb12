"""The latest rows and the history of a table whose changes come in Avro, key and value, as Debezium writes them with a
registry.
"""

import base64
import random
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from confluent_kafka.schema_registry import SchemaRegistryClient
from pyspark.sql import SparkSession

from jobs.answers.result import Reads
from jobs.events.changes import debezium
from jobs.log.archive import writer
from jobs.running.registry_access import SchemaRegistry
from tests import registry_server
from tests.altered import altered
from tests.jobs.events.changes import envelopes
from tests.jobs.keeping import customers, latest_rows
from tests.jobs.keeping.customers import CUSTOMERS, Database, Message
from tests.jobs.keeping.world import World

DECIMAL = envelopes.kind("bytes", "org.apache.kafka.connect.data.Decimal", logicalType="decimal", precision=10, scale=2)
FIELDS = {"id": "long"} | {name: ["null", kind] for name, kind in
                           {"name": "string", "credit": DECIMAL, "body": "string"}.items()}  # fmt: skip
TOPIC = SimpleNamespace(TOPIC=CUSTOMERS.TOPIC, COLUMNS=CUSTOMERS.COLUMNS, ENCODING="avro", KEY_ENCODING="avro")
RESULT = altered(customers.RESULT, reads=Reads(TOPIC, customers.columns, form=debezium.CHANGES))


def written(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """The row as a serialiser takes it."""
    if row is None or row["credit"] is None:
        return row
    return row | {"credit": Decimal(int.from_bytes(base64.b64decode(row["credit"]), "big")) / 100}


def append(world: World, registry: SchemaRegistryClient, messages: list[Message]) -> None:
    topic = CUSTOMERS.TOPIC
    key_bytes = envelopes.serializer(registry, envelopes.row("Key", {"id": "long"}), topic, is_key=True)
    value_bytes = envelopes.serializer(registry, envelopes.envelope(FIELDS), topic)
    keys = [None if key is None else key_bytes({"id": key}) for key, _ in messages]
    values = [
        value and value_bytes(value | {"before": written(value["before"]), "after": written(value["after"])})
        for _, value in messages
    ]
    times = pa.array([1_714_500_000_000_000] * len(keys), pa.timestamp("us", "UTC"))
    records = {"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary()), "timestamp": times}
    writer.append(world.places.archive, topic, customers.PARTITIONS, [pa.record_batch(records)])


def test_rows_are_those_of_the_database(spark: SparkSession, tmp_path: Path) -> None:
    """In any order, by the quick look and by the gate, which looks where a record is bad."""
    database = Database(11)
    for _ in range(40):
        database.change()
    database.forget(10)
    for _ in range(20):
        database.change()
    arrived = latest_rows.mixed(database.told, random.Random(11))
    world = World(spark, tmp_path, RESULT)
    with registry_server.serve() as server:
        registry = SchemaRegistryClient({"url": server.url})
        world.places = world.places.model_copy(update={"schema_registry": SchemaRegistry(url=server.url)})
        append(world, registry, arrived[:50])
        world.keep()
        append(world, registry, arrived[50:])
        world.keep(25)
        latest_rows.check(world, database)
        bad = pa.array([b"\0\0\0\x27\x0f\x02", b"{}"], pa.binary())
        times = pa.array([1_714_500_000_000_000] * 2, pa.timestamp("us", "UTC"))
        records = pa.record_batch({"key": bad, "value": bad, "timestamp": times})
        writer.append(world.places.archive, CUSTOMERS.TOPIC, customers.PARTITIONS, [records])
        told = len(database.told)
        database.change()
        append(world, registry, database.told[told:])
        world.keep()
    waiting = sorted((row["reason"], row["field"]) for row in world.rows("_quarantine"))
    assert waiting == [("no_schema_id", "the key"), ("unknown_schema", "schema id 9999 of the key")]
    found = {row["id"]: {name: row[name] for name in latest_rows.NAMES} for row in world.rows()}
    assert found == database.rows
