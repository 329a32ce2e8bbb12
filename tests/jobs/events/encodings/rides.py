"""Rides, as a producer writes them in JSON, Avro and Protobuf: by confluent-kafka's own serialisers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import DESCRIPTOR as TIMESTAMP_FILE
from pyspark.sql.types import (
    BooleanType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

PLACE = StructType([StructField("station", StringType()), StructField("number", LongType())])
COLUMNS = StructType(
    [
        StructField("begun", TimestampType(), False),
        StructField("bike", StringType(), False),
        StructField("minutes", IntegerType(), True),
        StructField("metres", DoubleType(), True),
        StructField("electric", BooleanType(), True),
        StructField("place", PLACE, True),
    ]
)
AVRO: dict[str, Any] = {
    "type": "record",
    "name": "Ride",
    "namespace": "city",
    "fields": [
        {"name": "begun", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "bike", "type": "string", "doc": "Which one."},
        {"name": "minutes", "type": ["null", "int"], "default": None},
        {"name": "metres", "type": ["null", "double"], "default": None},
        {"name": "electric", "type": ["null", "boolean"], "default": None},
        {
            "name": "place",
            "type": ["null", {"type": "record", "name": "Place", "fields": [
                {"name": "station", "type": ["null", "string"], "default": None},
                {"name": "number", "type": ["null", "long"], "default": None},
            ]}],
            "default": None,
        },
        {"name": "not_in_columns", "type": {"type": "array", "items": "string"}, "default": []},
    ],
}  # fmt: skip
BEGUN = datetime(2025, 5, 5, 8, tzinfo=UTC)


def rides(number: int) -> list[dict[str, Any]]:
    """So many, with all that may be null null here and there."""
    made = []
    for place in range(number):
        made.append(
            {
                "begun": BEGUN + timedelta(minutes=place, microseconds=place),
                "bike": f'b{place % 3} é"\n',
                "minutes": None if place % 4 == 1 else place,
                "metres": None if place % 4 == 2 else place * 0.1,
                "electric": None if place % 5 == 3 else place % 2 == 0,
                "place": None if place % 6 == 5 else {"station": f"s{place}", "number": 2**53 + place},
            }
        )
    return made


def as_json(ride: dict[str, Any]) -> bytes:
    return json.dumps(ride | {"begun": ride["begun"].isoformat()}, ensure_ascii=False).encode()


def avro_serializer(registry: SchemaRegistryClient, topic: str, schema: dict[str, Any] = AVRO) -> Any:
    """A function from a ride to the bytes of a record."""
    serializer, context = AvroSerializer(registry, json.dumps(schema)), SerializationContext(topic, MessageField.VALUE)
    return lambda ride: serializer(ride, context)


def _file() -> FileDescriptorProto:
    """What protoc makes of
    syntax = "proto3"; package city; import "google/protobuf/timestamp.proto";
    message Other { string x = 1; message Ride { google.protobuf.Timestamp begun = 1; string bike = 2;
    optional int32 minutes = 3; ...; Place place = 6; repeated string tags = 7; } } message Place { ... }
    """
    kind = FieldDescriptorProto
    file = FileDescriptorProto(name="rides.proto", package="city", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    other, place = file.message_type.add(name="Other"), file.message_type.add(name="Place")
    other.field.add(name="x", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    ride = other.nested_type.add(name="Ride")

    def optional(message: Any, name: str, number: int, of: Any) -> None:
        message.oneof_decl.add(name=f"_{name}")
        where = len(message.oneof_decl) - 1
        message.field.add(
            name=name, number=number, type=of, label=kind.LABEL_OPTIONAL, oneof_index=where, proto3_optional=True
        )

    optional(place, "station", 1, kind.TYPE_STRING)
    optional(place, "number", 2, kind.TYPE_INT64)
    for name, number, of in (("begun", 1, ".google.protobuf.Timestamp"), ("place", 6, ".city.Place")):
        ride.field.add(name=name, number=number, type=kind.TYPE_MESSAGE, type_name=of, label=kind.LABEL_OPTIONAL)
    ride.field.add(name="bike", number=2, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    optional(ride, "minutes", 3, kind.TYPE_INT32)
    optional(ride, "metres", 4, kind.TYPE_DOUBLE)
    optional(ride, "electric", 5, kind.TYPE_BOOL)
    ride.field.add(name="tags", number=7, type=kind.TYPE_STRING, label=kind.LABEL_REPEATED)
    return file


def protobuf_serializer(registry: SchemaRegistryClient, topic: str) -> Any:
    """A function from a ride to the bytes of a record."""
    pool = DescriptorPool()
    pool.AddSerializedFile(TIMESTAMP_FILE.serialized_pb)
    pool.Add(_file())
    message_class = GetMessageClass(pool.FindMessageTypeByName("city.Other.Ride"))
    options = {"use.deprecated.format": False, "skip.known.types": True}
    serializer = ProtobufSerializer(message_class, registry, options)
    context = SerializationContext(topic, MessageField.VALUE)

    def serialise(ride: dict[str, Any]) -> bytes:
        made = message_class(bike=ride["bike"])
        made.begun.FromDatetime(ride["begun"])
        for name in ("minutes", "metres", "electric"):
            if ride[name] is not None:
                setattr(made, name, ride[name])
        if ride["place"] is not None:
            made.place.station, made.place.number = ride["place"]["station"], ride["place"]["number"]
        return bytes(serializer(made, context))

    return serialise
