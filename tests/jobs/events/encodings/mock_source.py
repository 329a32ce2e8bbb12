"""Schemas of the registry that confluent-kafka brings for tests, as whoever decodes asks for them."""

import json
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from jobs.running.schema_text import SchemaText


class MockSource:
    """Asks the registry of confluent-kafka that lives in this process."""

    def __init__(self) -> None:
        self.client = SchemaRegistryClient.new_client({"url": "mock://rides"})
        self.asked: list[int] = []

    def find(self, schema_id: int) -> SchemaText | None:
        self.asked.append(schema_id)
        try:
            found = self.client.get_schema(schema_id)
        except SchemaRegistryError:
            return None
        assert found.schema_type and found.schema_str
        return SchemaText(schema_id, found.schema_type, found.schema_str)

    def register(self, schema: Any, kind: str = "AVRO") -> int:
        return self.client.register_schema("any", Schema(json.dumps(schema), kind))
