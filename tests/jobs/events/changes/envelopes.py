"""Debezium's records with the schemas that Kafka Connect's AvroConverter registers, by Confluent's own serialiser."""

import json
from collections.abc import Callable
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

Fields = dict[str, Any]
"""Schemas of Avro by column."""
SNAPSHOT = {"type": "string", "connect.version": 1, "connect.name": "io.debezium.data.Enum", "connect.default": "false",
            "connect.parameters": {"allowed": "true,first,last,false,incremental"}}  # fmt: skip
SOURCE = {
    "type": "record",
    "name": "Source",
    "namespace": "io.debezium.connector.postgresql",
    "connect.name": "io.debezium.connector.postgresql.Source",
    "fields": [
        {"name": "name", "type": "string"},
        {"name": "ts_ms", "type": "long"},
        {"name": "snapshot", "type": [SNAPSHOT, "null"], "default": "false"},
        {"name": "sequence", "type": ["null", "string"], "default": None},
        {"name": "lsn", "type": ["null", "long"], "default": None},
    ],
}
TRANSACTION = {
    "type": "record",
    "name": "block",
    "namespace": "event",
    "connect.name": "event.block",
    "fields": [{"name": "id", "type": "string"}, {"name": "total_order", "type": "long"}],
}


def kind(avro: str, name: str, **more: Any) -> dict[str, Any]:
    """A type of Avro with Connect's name of it."""
    return {"type": avro, "connect.version": 1, "connect.name": name} | more


def row(name: str, fields: Fields) -> dict[str, Any]:
    """The schema of a row, or of a key."""
    made = [{"name": field, "type": avro} for field, avro in fields.items()]
    return {"type": "record", "name": name, "fields": made, "connect.name": f"shop.public.customers.{name}"}


def envelope(fields: Fields) -> dict[str, Any]:
    """The schema of a value: of the row only the first part says the columns, as the second names the first."""
    return {
        "type": "record",
        "name": "Envelope",
        "namespace": "shop.public.customers",
        "connect.name": "shop.public.customers.Envelope",
        "fields": [
            {"name": "before", "type": ["null", row("Value", fields)], "default": None},
            {"name": "after", "type": ["null", "Value"], "default": None},
            {"name": "source", "type": SOURCE},
            {"name": "transaction", "type": ["null", TRANSACTION], "default": None},
            {"name": "op", "type": "string"},
            {"name": "ts_ms", "type": ["null", "long"], "default": None},
        ],
    }


def serializer(
    registry: SchemaRegistryClient, schema: dict[str, Any], topic: str, is_key: bool = False
) -> Callable[[Any], bytes]:
    """What makes the bytes of a record."""
    part = MessageField.KEY if is_key else MessageField.VALUE
    serialise, context = AvroSerializer(registry, json.dumps(schema)), SerializationContext(topic, part)
    return lambda content: bytes(serialise(content, context) or b"")
