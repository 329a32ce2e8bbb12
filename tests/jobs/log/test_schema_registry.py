"""The registry's schemas: each is asked for once, with those that it names; an unknown id is asked for again."""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from pyspark.sql.types import IntegerType, StringType, StructField, StructType

from jobs.events.encodings.encoding import Encoding
from jobs.events.encodings.topic_encoding import TopicEncoding
from jobs.log.schema_registry import RegistrySource
from jobs.running.registry_access import SchemaRegistry
from tests import registry_server
from tests.registry_server import RegistryServer

PLACE = StructType([StructField("city", StringType())])
COLUMNS = StructType([StructField("n", IntegerType()), StructField("place", PLACE)])
EXPECTED = {"n": 3, "place": {"city": "Bern"}}


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with registry_server.serve() as server:
        yield server


def named(registry: RegistryServer, subject: str, name: str) -> list[dict[str, Any]]:
    """What a schema says of another one that it names."""
    return [{"name": name, "subject": subject, "version": len(registry.subjects[subject])}]


def avro(registry: RegistryServer) -> tuple[int, bytes]:
    place = {"type": "record", "name": "Place", "namespace": "x", "fields": [{"name": "city", "type": "string"}]}
    registry.register("place", {"schema": json.dumps(place)})
    fields = [{"name": "n", "type": "int"}, {"name": "place", "type": "x.Place"}]
    ride = {"type": "record", "name": "Ride", "namespace": "x", "fields": fields}
    references = named(registry, "place", "x.Place")
    schema_id = registry.register("rides-value", {"schema": json.dumps(ride), "references": references})
    return schema_id, b"\x06\x08Bern"  # by hand: zigzag 3; four bytes of text


def protobuf(registry: RegistryServer) -> tuple[int, bytes]:
    kind = FieldDescriptorProto

    def register(subject: str, file: FileDescriptorProto, **more: Any) -> int:
        text = base64.b64encode(file.SerializeToString()).decode()
        return registry.register(subject, {"schema": text, "schemaType": "PROTOBUF"} | more)

    place = FileDescriptorProto(name="whatever", package="x", syntax="proto3")
    place.message_type.add(name="Place").field.add(name="city", number=1, type=kind.TYPE_STRING, label=1)
    register("place", place)
    ride = FileDescriptorProto(name="default", package="y", syntax="proto3", dependency=["x/place.proto"])
    message = ride.message_type.add(name="Ride")
    message.field.add(name="n", number=1, type=kind.TYPE_INT32, label=1)
    message.field.add(name="place", number=2, type=kind.TYPE_MESSAGE, type_name=".x.Place", label=1)
    schema_id = register("rides-value", ride, references=named(registry, "place", "x/place.proto"))
    # By hand: the first message; field 1, varint 3; field 2, six bytes: field 1, four bytes of text.
    return schema_id, b"\x00" + b"\x08\x03" + b"\x12\x06\x0a\x04Bern"


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_a_schema_comes_with_those_that_it_names_and_once(kind: str, registry: RegistryServer) -> None:
    schema_id, data = {"avro": avro, "protobuf": protobuf}[kind](registry)
    source = RegistrySource(SchemaRegistry(url=registry.url))
    value = struct.pack(">BI", 0, schema_id) + data
    for _ in range(2):  # as two tasks of one process do
        encoded = TopicEncoding(Encoding(kind, source=source), COLUMNS)
        values, faults = encoded.json_values(pa.nulls(3, pa.binary()), pa.array([value] * 3, pa.binary()))
        assert not any(faults.to_pylist())
        assert [json.loads(each) for each in values.to_pylist()] == [EXPECTED] * 3
    assert registry.asked == [f"/schemas/ids/{schema_id}", "/subjects/place/versions/1"]


def test_an_id_that_is_registered_later_is_found_then(registry: RegistryServer) -> None:
    source = RegistrySource(SchemaRegistry(url=registry.url))
    assert source.find(1) is None
    registry.register("any", {"schema": '"string"'})
    found = source.find(1)
    assert found and (found.kind, found.text) == ("AVRO", '"string"')
