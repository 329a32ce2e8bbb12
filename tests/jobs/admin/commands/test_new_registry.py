"""headrace new --registry writes a schema file that reads the topic's records."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DateType,
    DecimalType,
    LongType,
    MapType,
    StringType,
    StructType,
    TimestampType,
)

from jobs.answers.result import Reads
from tests import registry_server
from tests.jobs.admin import command
from tests.jobs.events.encodings import rides
from tests.pages import load_module
from tests.registry_server import RegistryServer


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryServer]:
    monkeypatch.chdir(tmp_path)
    with registry_server.serve() as server:
        text = f'archive = "a"\ntables = "t"\ncheckpoints = "c"\n[schema_registry]\nurl = "{server.url}"\n'
        Path("places.toml").write_text(text)
        yield server


def new(*arguments: str) -> int:
    return command.run("new", *arguments, "--registry", "--places", "places.toml")


def schema_file(name: str) -> ModuleType:
    return load_module(f"schemas.{name}", Path("schemas", f"{name}.py"))


def shape(columns: StructType) -> list[tuple[str, Any, bool]]:
    """Names, types and nullability, without comments."""
    return [(field.name, field.dataType.simpleString(), field.nullable) for field in columns]


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_the_schema_file_of_a_topic(kind: str, registry: RegistryServer, capsys: pytest.CaptureFixture[str]) -> None:
    client = SchemaRegistryClient({"url": registry.url})
    if kind == "avro":
        rides.avro_serializer(client, "city.rides_made")(rides.rides(1)[0] | {"not_in_columns": []})
    else:
        # The registry's schema is the whole file; its first message, Other, has the ride inside.
        rides.protobuf_serializer(client, "city.rides_made")(rides.rides(1)[0])
    assert new("city.rides_made") == 0
    told = capsys.readouterr().out
    made = schema_file("rides_made")
    assert ("city.rides_made", None, kind) == (made.TOPIC, made.KEY, made.ENCODING)
    if kind == "avro":
        assert made.EVENT_TIME == "begun" and "EVENT_TIME is begun, the first column that is a timestamp" in told
        assert shape(made.COLUMNS)[:-1] == shape(rides.COLUMNS)
        assert made.COLUMNS["bike"].metadata == {"comment": "Which one."}
        assert json.loads(made.READER_SCHEMA) == rides.AVRO
    else:
        assert made.EVENT_TIME is None and "EVENT_TIME = None, the record's own timestamp" in told
        assert shape(made.COLUMNS) == [("x", "string", False)]
        assert "columns are those of message city.Other, the first of the schema" in told
    Reads(made, lambda events: events)
    assert new("city.rides_made") == 1
    assert "schemas/rides_made.py is there already" in capsys.readouterr().err


def test_each_type_of_avro_has_its_column_or_is_left_out(
    registry: RegistryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    node = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]},
                                                         {"name": "n", "type": "long"}]}  # fmt: skip
    kinds: dict[str, tuple[Any, Any]] = {
        "id": ({"type": "string", "logicalType": "uuid"}, StringType()),
        "price": ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, DecimalType(9, 2)),
        "raw": ({"type": "fixed", "name": "Raw", "size": 4}, BinaryType()),
        "kind": ({"type": "enum", "name": "Kind", "symbols": ["A"]}, StringType()),
        "day": ({"type": "int", "logicalType": "date"}, DateType()),
        "at": ({"type": "long", "logicalType": "local-timestamp-micros"}, TimestampType()),
        "marks": ({"type": "array", "items": "long"}, ArrayType(LongType())),
        "by_name": ({"type": "map", "values": "string"}, MapType(StringType(), StringType())),
        "either": (["string", "long"], None),
        "node": (node, StructType().add("n", LongType(), False)),
    }
    fields = [{"name": name, "type": kind} for name, (kind, _) in kinds.items()]
    schema = {"type": "record", "name": "All", "namespace": "x", "doc": 'a "quoted" \\ text', "fields": fields}
    registry.register("all-of-them", {"schema": json.dumps(schema)})
    assert new("everything", "--subject", "all-of-them", "--name", "everything") == 0
    told = capsys.readouterr().out
    made = schema_file("everything")
    assert {field.name: field.dataType for field in made.COLUMNS} == {
        name: kind for name, (_, kind) in kinds.items() if kind
    }
    assert json.loads(made.READER_SCHEMA) == schema
    assert "either is left out: no column can be a union of several types" in told
    assert "node.next is left out" not in told and "next is left out: no column can be a type within itself" in told
    assert made.EVENT_TIME == "at"


N: dict[str, Any] = {"name": "n", "type": "long"}
KEYS: dict[str, tuple[Any, str, tuple[str, ...], str]] = {
    "a record": ([{"name": "shop", "type": "string"}, N], "avro", ("shop",), "shop: in the key alone"),
    "the same": ([N], "avro", (), "the value has all fields of the key"),
    "one value": ("string", "avro", (), "the key, of subject orders-key, is one value"),
    "json": (None, "", (), "subject orders-key is of kind JSON, and its keys stay bytes"),
}
"""Fields of the key, or its type; encoding and columns of the schema file; what is told."""


@pytest.mark.parametrize("case", KEYS)
def test_keys_that_the_registry_knows(case: str, registry: RegistryServer, capsys: pytest.CaptureFixture[str]) -> None:
    key, encoding, names, told = KEYS[case]
    value, schema = ({"type": "record", "name": name, "fields": fields} for name, fields in (("V", [N]), ("K", key)))
    registry.register("orders-value", {"schema": json.dumps(value)})
    text = json.dumps(schema if isinstance(key, list) else key)
    registry.register("orders-key", {"schema": text, "schemaType": "AVRO" if key else "JSON"})
    assert new("orders") == 0
    assert told in capsys.readouterr().out
    made = schema_file("orders")
    assert (getattr(made, "KEY_ENCODING", ""), getattr(made, "KEY_COLUMNS", ())) == (encoding, names)
    assert shape(made.COLUMNS) == [*((name, "string", False) for name in names), ("n", "bigint", False)]
    Reads(made, lambda events: events)


def test_what_the_registry_has_not_or_what_it_is_not_for(
    registry: RegistryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.register("a-value", {"schema": "{}", "schemaType": "JSON"})
    registry.register("b-value", {"schema": '"string"'})
    for topic, told in (
        ("other", f"{registry.url} has no subject other-value; it has a-value, b-value. Name one: --subject"),
        ("a", "subject a-value is of kind JSON: there are Avro and Protobuf"),
        ("b", "the schema is no record of Avro"),
    ):
        assert new(topic) == 1
        assert told in capsys.readouterr().err
    Path("places.toml").write_text('archive = "a"\ntables = "t"\ncheckpoints = "c"\n')
    assert new("a") == 1
    assert "has no table [schema_registry]" in capsys.readouterr().err
