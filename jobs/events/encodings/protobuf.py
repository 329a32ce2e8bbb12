"""Protobuf: a message as the descriptor of its file says, which the registry has: no compiler of .proto is needed."""

import base64
import binascii
import importlib
from datetime import timedelta
from typing import Any

from jobs.events.encodings.wire_format import Decode, Fault, split_index
from jobs.running.instants import EPOCH
from jobs.running.schema_text import SchemaText

_WRAPPERS = {
    f"google.protobuf.{kind}Value"
    for kind in ("Double", "Float", "Int64", "UInt64", "Int32", "UInt32", "Bool", "String", "Bytes")
}
"""Messages that hold one value, or none."""
TIMESTAMP = "google.protobuf.Timestamp"


def decoder(schema: SchemaText) -> Decode:
    """What decodes messages that were written with this schema. Raises ValueError if it is no descriptor."""
    from google.protobuf.message import DecodeError

    field, file = f"schema id {schema.schema_id}", MessageTypes(schema)

    def decode(rest: bytes) -> object:
        try:
            index, data = split_index(rest)
            message = file.message_class(index)()
            message.ParseFromString(data)
            return _fields(message)
        except (DecodeError, ValueError, IndexError, KeyError):
            raise Fault("not_decodable", field) from None

    return decode


class MessageTypes:
    """The types of messages of a schema."""

    def __init__(self, schema: SchemaText) -> None:
        from google.protobuf.descriptor_pool import DescriptorPool

        self._pool = DescriptorPool()
        self._file = _descriptor(schema)
        self._file.name = f"schema_{schema.schema_id}.proto"
        self._add_dependencies(schema, self._file)
        self._pool.Add(self._file)
        self._classes: dict[tuple[int, ...], Any] = {}

    def descriptor(self, index: tuple[int, ...]) -> Any:
        """Of the message at this place. Raises IndexError, KeyError."""
        first, *inside = index
        kind = self._file.message_type[_place(first)]
        names = [kind.name]
        for number in inside:
            kind = kind.nested_type[_place(number)]
            names.append(kind.name)
        above = [self._file.package] if self._file.package else []
        return self._pool.FindMessageTypeByName(".".join(above + names))

    def message_class(self, index: tuple[int, ...]) -> Any:
        """The class of the message at this place. Raises IndexError, KeyError."""
        from google.protobuf.message_factory import GetMessageClass

        if index not in self._classes:
            self._classes[index] = GetMessageClass(self.descriptor(index))
        return self._classes[index]

    def _add_dependencies(self, schema: SchemaText, file: Any) -> None:
        references = dict(schema.references)
        for name in file.dependency:
            try:
                self._pool.FindFileByName(name)
                continue
            except KeyError:
                pass
            if name in references:
                other = _descriptor(references[name])
                other.name = name
                self._add_dependencies(references[name], other)
                self._pool.Add(other)
            else:
                self._add_known(name)

    def _add_known(self, name: str) -> None:
        """A file that comes with a library, as google/protobuf/timestamp.proto does. Raises ValueError."""
        from google.protobuf.descriptor_pb2 import FileDescriptorProto

        module = f"{name.removesuffix('.proto').replace('/', '.')}_pb2"
        if name.startswith("confluent/"):
            module = f"confluent_kafka.schema_registry.{module}"
        try:
            known = importlib.import_module(module).DESCRIPTOR
        except ImportError:
            raise ValueError(f"nobody has the file {name}, which it imports") from None
        file = FileDescriptorProto.FromString(known.serialized_pb)
        for other in file.dependency:
            try:
                self._pool.FindFileByName(other)
            except KeyError:
                self._add_known(other)
        self._pool.Add(file)


def _place(number: int) -> int:
    if number < 0:
        raise IndexError
    return number


def _descriptor(schema: SchemaText) -> Any:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import DecodeError

    try:
        return FileDescriptorProto.FromString(base64.b64decode(schema.text, validate=True))
    except (binascii.Error, DecodeError):
        raise ValueError("the registry gives no serialised descriptor for it (format=serialized)") from None


def is_repeated(field: Any) -> bool:
    """Whether the field is a list or a map: said otherwise from version 7 of the library on."""
    known = getattr(field, "is_repeated", None)
    return bool(field.label == field.LABEL_REPEATED if known is None else known)


def is_map(field: Any) -> bool:
    """Whether the field is a map."""
    kind = field.message_type
    return bool(kind is not None and kind.GetOptions().map_entry)


def _fields(message: Any) -> dict[str, Any]:
    """The fields by name; None for one that knows that it is not there."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if is_repeated(field) and is_map(field):
            inside = field.message_type.fields_by_name["value"]
            found[field.name] = {key: _value(value[key], inside) for key in value}
        elif is_repeated(field):
            found[field.name] = [_value(each, field) for each in value]
        elif field.has_presence and not message.HasField(field.name):
            found[field.name] = None
        else:
            found[field.name] = _value(value, field)
    return found


def _value(value: Any, field: Any) -> Any:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if field.message_type is None:
        return value
    kind = field.message_type.full_name
    if kind in _WRAPPERS:
        return value.value
    if kind == TIMESTAMP:
        micros = value.seconds * 1_000_000 + value.nanos // 1_000
        try:
            return EPOCH + timedelta(microseconds=micros)
        except OverflowError:
            return micros  # no year has it
    return _fields(value)
