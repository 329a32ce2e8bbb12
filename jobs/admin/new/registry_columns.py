"""The columns of a topic out of a schema of a registry, and what of the schema no column can have."""

import json
from collections.abc import Mapping
from typing import Any

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.running.errors import Refused

_AVRO: dict[str, DataType] = {
    "boolean": BooleanType(),
    "int": IntegerType(),
    "long": LongType(),
    "float": FloatType(),
    "double": DoubleType(),
    "string": StringType(),
    "enum": StringType(),
    "bytes": BinaryType(),
    "fixed": BinaryType(),
}
_LOGICAL: dict[str, DataType] = {
    "timestamp-millis": TimestampType(),
    "timestamp-micros": TimestampType(),
    "local-timestamp-millis": TimestampType(),
    "local-timestamp-micros": TimestampType(),
    "date": DateType(),
    "time-millis": StringType(),
    "time-micros": StringType(),
    "uuid": StringType(),
}
_PROTOBUF: dict[str, DataType] = {
    "TYPE_DOUBLE": DoubleType(),
    "TYPE_FLOAT": FloatType(),
    "TYPE_BOOL": BooleanType(),
    "TYPE_STRING": StringType(),
    "TYPE_ENUM": StringType(),
    "TYPE_BYTES": BinaryType(),
    **dict.fromkeys(("TYPE_INT32", "TYPE_SINT32", "TYPE_SFIXED32"), IntegerType()),
    **dict.fromkeys(("TYPE_INT64", "TYPE_SINT64", "TYPE_SFIXED64", "TYPE_UINT32", "TYPE_FIXED32"), LongType()),
    **dict.fromkeys(("TYPE_UINT64", "TYPE_FIXED64"), DecimalType(20, 0)),
}
_WRAPPED: dict[str, DataType] = {
    "Double": DoubleType(),
    "Float": FloatType(),
    "Int64": LongType(),
    "UInt64": DecimalType(20, 0),
    "Int32": IntegerType(),
    "UInt32": LongType(),
    "Bool": BooleanType(),
    "String": StringType(),
    "Bytes": BinaryType(),
}


class _NoType(Exception):
    """No column can have it; the message is what it is."""


def is_record(text: str) -> bool:
    """Whether a schema of Avro has fields."""
    schema = json.loads(text)
    return isinstance(schema, dict) and schema.get("type") == "record"


def of_avro(text: str) -> tuple[StructType, list[str]]:
    """The columns of an Avro record, and a line for each field that is left out. Raises Refused if it is no record."""
    if not is_record(text):
        raise Refused("the schema is no record of Avro, so its values have no fields that could be columns.")
    schema = json.loads(text)
    left_out: list[str] = []
    return _record(schema, {}, (), left_out), left_out


def _record(
    schema: Mapping[str, Any], named: dict[str, Any], above: tuple[str, ...], left_out: list[str]
) -> StructType:
    named[schema["name"]] = named[f"{schema.get('namespace', '')}.{schema['name']}"] = schema
    fields = []
    for field in schema["fields"]:
        try:
            kind, nullable = _avro(field["type"], named, (*above, schema["name"]), left_out)
        except _NoType as reason:
            left_out.append(f"{'.'.join((*above[1:], field['name']))} is left out: no column can be {reason}")
            continue
        comment = {"comment": field["doc"]} if field.get("doc") else None
        fields.append(StructField(field["name"], kind, nullable, comment))
    return StructType(fields)


def _avro(schema: Any, named: dict[str, Any], above: tuple[str, ...], left_out: list[str]) -> tuple[DataType, bool]:
    """The type, and whether it may be null. Raises _NoType."""
    if isinstance(schema, list):
        others = [each for each in schema if each != "null"]
        if len(others) != 1:
            raise _NoType("a union of several types")
        return _avro(others[0], named, above, left_out)[0], len(others) < len(schema)
    if isinstance(schema, str) and schema in named:
        if named[schema].get("name") in above:
            raise _NoType("a type within itself")
        schema = named[schema]
    if isinstance(schema, str):
        schema = {"type": schema}
    kind, logical = schema["type"], schema.get("logicalType")
    if isinstance(kind, list | dict):
        return _avro(kind, named, above, left_out)
    if logical == "decimal":
        return DecimalType(min(schema["precision"], 38), min(schema.get("scale", 0), 38)), False
    if logical in _LOGICAL:
        return _LOGICAL[logical], False
    if kind in ("enum", "fixed"):
        named[schema["name"]] = schema
    if kind == "record":
        return _record(schema, named, above, left_out), False
    if kind == "array":
        return ArrayType(_avro(schema["items"], named, above, left_out)[0]), False
    if kind == "map":
        return MapType(StringType(), _avro(schema["values"], named, above, left_out)[0]), False
    if kind not in _AVRO:
        raise _NoType(str(kind))
    return _AVRO[kind], False


def of_protobuf(message: Any) -> tuple[StructType, list[str]]:
    """The columns of a message, from its descriptor, and a line for each field that is left out."""
    left_out: list[str] = []
    return _message(message, (), left_out), left_out


def _message(message: Any, above: tuple[str, ...], left_out: list[str]) -> StructType:
    from jobs.events.encodings.protobuf import is_repeated

    fields = []
    for field in message.fields:
        try:
            kind = _protobuf(field, (*above, message.full_name), left_out)
        except _NoType as reason:
            left_out.append(f"{field.full_name} is left out: no column can be {reason}")
            continue
        fields.append(StructField(field.name, kind, bool(not is_repeated(field) and field.has_presence)))
    return StructType(fields)


def _protobuf(field: Any, above: tuple[str, ...], left_out: list[str]) -> DataType:
    from jobs.events.encodings.protobuf import is_map, is_repeated

    if is_repeated(field) and is_map(field):
        return MapType(StringType(), _one(field.message_type.fields_by_name["value"], above, left_out))
    one = _one(field, above, left_out)
    return ArrayType(one) if is_repeated(field) else one


def _one(field: Any, above: tuple[str, ...], left_out: list[str]) -> DataType:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    if field.message_type is None:
        return _PROTOBUF[FieldDescriptorProto.Type.Name(field.type)]
    name = field.message_type.full_name
    if name == "google.protobuf.Timestamp":
        return TimestampType()
    wrapped = name.removeprefix("google.protobuf.").removesuffix("Value")
    if name.startswith("google.protobuf.") and wrapped in _WRAPPED:
        return _WRAPPED[wrapped]
    if name in above:
        raise _NoType("a type within itself")
    inside = _message(field.message_type, above, left_out)
    if not inside.fields:
        raise _NoType(f"{name}, which has no fields")
    return inside
