"""How the records of a topic are encoded, as its schema file says: ENCODING of values and KEY_ENCODING of keys, each
"avro" or "protobuf".

Each value becomes one JSON object, or a reason why it cannot. From there on the record is judged like any other: the
same data gives the same events, however it was written.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow as pa
from pyspark.sql.types import DataType, StringType, StructField, StructType

from jobs.events.encodings import avro, connect_schema
from jobs.events.encodings.encoding import KINDS, Encoding
from jobs.events.encodings.json_values import json_value
from jobs.events.encodings.wire_format import Fault
from jobs.events.topic_schema import file_name, location
from jobs.running.errors import Mistake
from jobs.running.schema_text import SchemaSource, SchemaText

FAULT = StructType([StructField("reason", StringType()), StructField("field", StringType())])
_ANY = StringType()
"""The type of a column of which nothing is known: all fields of a record are taken."""
Texts = tuple[bytes | None, bytes | None]
"""JSON of a key and of a value."""


@dataclass
class TopicEncoding:
    """How the records of one topic become JSON."""

    values: Encoding
    columns: StructType = field(default_factory=StructType)
    """Those of the topic."""
    keys: Encoding | None = None
    """None: keys are bytes, and stay so."""
    key_columns: tuple[str, ...] = ()
    """Columns of the topic whose values are in the key."""

    @property
    def kind(self) -> str:
        """That of values: avro or protobuf."""
        return self.values.kind

    def connect(self, source: SchemaSource) -> None:
        """Ask this registry from now on."""
        self.values.source = source
        if self.keys:
            self.keys.source = source

    def json_values(self, keys: pa.Array, values: pa.Array) -> tuple[pa.Array, pa.Array]:
        """For each value one JSON object in UTF-8 with the columns of the topic, null if there is none; and why there
        is none, as FAULT. Raises Refused if the registry cannot be asked.
        """
        unknown: dict[int, Fault] = {}

        def texts(key: bytes | None, value: bytes | None) -> Texts:
            return None, None if value is None else self._event(key, value, unknown)

        _, plain, faults = _decode(keys, values, texts)
        return plain, faults

    def json_records(
        self, keys: pa.Array, values: pa.Array, with_schema: bool = False
    ) -> tuple[pa.Array, pa.Array, pa.Array]:
        """The keys and the values with all their fields as JSON, null where there is none, and why as FAULT. Keys that
        are not encoded stay as they are. With `with_schema` values of Avro are written as Kafka Connect writes them
        with its schema beside the payload. Raises Refused if the registry cannot be asked.
        """
        unknown: dict[int, Fault] = {}

        def texts(key: bytes | None, value: bytes | None) -> Texts:
            text = key if key is None or not self.keys else _json(self.keys, key, unknown)
            return text, None if value is None else _json(self.values, value, unknown, with_schema)

        return _decode(keys, values, texts)

    def _event(self, key: bytes | None, value: bytes, unknown: dict[int, Fault]) -> bytes:
        found, schema = self.values.decode(value, unknown)
        if self.keys and self.key_columns and isinstance(found, dict):
            found |= self._key_fields(self.keys, key, unknown)
        return _text(self.values, found, self.columns, schema)

    def _key_fields(self, keys: Encoding, key: bytes | None, unknown: dict[int, Fault]) -> dict[str, Any]:
        """The columns that are in the key: null without one."""
        if key is None:
            return dict.fromkeys(self.key_columns)
        found, schema = keys.decode(key, unknown)
        if not isinstance(found, dict):
            if len(self.key_columns) > 1:
                raise keys.fault("schema_mismatch", f"schema id {schema.schema_id}")
            found = {self.key_columns[0]: found}
        return {name: found.get(name) for name in self.key_columns}


def _decode(
    keys: pa.Array, values: pa.Array, texts: Callable[[bytes | None, bytes | None], Texts]
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """What `texts` makes of each record, and the Fault that it raises."""
    made: list[Texts] = []
    faults: list[dict[str, str | None] | None] = []
    for key, value in zip(keys.to_pylist(), values.to_pylist(), strict=True):
        try:
            made.append(texts(key, value))
            faults.append(None)
        except Fault as fault:
            made.append((None, None))
            faults.append({"reason": fault.reason, "field": fault.field})
    kind = pa.struct([("reason", pa.string()), ("field", pa.string())])
    plain = (pa.array([record[place] for record in made], pa.binary()) for place in range(2))
    return (*plain, pa.array(faults, kind))


def _json(encoding: Encoding, content: bytes, unknown: dict[int, Fault], with_schema: bool = False) -> bytes:
    found, schema = encoding.decode(content, unknown)
    payload = _text(encoding, found, _ANY, schema)
    if not with_schema or schema.kind != KINDS["avro"]:
        return payload
    return b'{"schema":%s,"payload":%s}' % (_connect_schema(schema.text), payload)


@lru_cache(1_000)
def _connect_schema(text: str) -> bytes:
    return connect_schema.of_avro(text)


def _text(encoding: Encoding, value: Any, kind: DataType, schema: SchemaText) -> bytes:
    try:
        return msgspec.json.encode(json_value(value, kind))
    except (ValueError, TypeError, OverflowError, RecursionError):  # msgspec has no JSON for it
        raise encoding.fault("not_decodable", f"schema id {schema.schema_id}") from None


def of_topic(topic: Any) -> TopicEncoding | None:
    """How the schema file says that records are encoded; None: as JSON."""
    encoding: TopicEncoding | None = getattr(topic, "ENCODED", None)
    return encoding


def encoded_topic(schema: Any) -> Any:
    """The topic with its TopicEncoding as ENCODED, if its schema file names one; else the schema file itself.

    Raises Mistake if it names another one, if READER_SCHEMA is none, if KEY_COLUMNS are not in COLUMNS, and if the
    libraries are not installed.
    """
    kind = getattr(schema, "ENCODING", None)
    if of_topic(schema):
        return schema
    if kind is None:
        for name in ("KEY_ENCODING", "KEY_COLUMNS"):
            if getattr(schema, name, None):
                raise Mistake(f"{location(schema, name)}: {name} is for topics with an ENCODING: leave it out")
        return schema
    _check_kind(schema, "ENCODING", kind)
    _check_installed(schema)
    values = Encoding(kind, _reader(schema, kind))
    columns = getattr(schema, "COLUMNS", StructType())
    encoded = TopicEncoding(values, columns, _keys(schema), _key_columns(schema, columns))
    constants = {name: getattr(schema, name) for name in dir(schema) if name.isupper()}
    file = {name: getattr(schema, name) for name in ("__name__", "__file__") if hasattr(schema, name)}
    return SimpleNamespace(**file, **constants, ENCODED=encoded)


def _check_kind(schema: Any, name: str, kind: object) -> None:
    if kind not in KINDS:
        what = "JSON" if name == "ENCODING" else "keys that are bytes"
        raise Mistake(
            f"{location(schema, name)}: {name} is {kind!r}; take one of {', '.join(KINDS)}, or leave it out for {what}"
        )


def _reader(schema: Any, kind: str) -> str | None:
    reader: str | None = getattr(schema, "READER_SCHEMA", None)
    if reader is not None and kind != "avro":
        raise Mistake(
            f"{location(schema, 'READER_SCHEMA')}: READER_SCHEMA is for Avro; a message of Protobuf tells its fields "
            "by number: leave it out"
        )
    if reader is not None:
        avro.check_reader(location(schema, "READER_SCHEMA"), reader)
    return reader


def _keys(schema: Any) -> Encoding | None:
    kind = getattr(schema, "KEY_ENCODING", None)
    if kind is None:
        return None
    _check_kind(schema, "KEY_ENCODING", kind)
    return Encoding(kind, is_key=True)


def _key_columns(schema: Any, columns: StructType) -> tuple[str, ...]:
    names = getattr(schema, "KEY_COLUMNS", ())
    where = location(schema, "KEY_COLUMNS")
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise Mistake(f'{where}: KEY_COLUMNS is no tuple of names, such as ("order_id",)')
    if names and getattr(schema, "KEY_ENCODING", None) is None:
        raise Mistake(f'{where}: KEY_COLUMNS needs KEY_ENCODING = "avro" or "protobuf", which says how keys are read')
    for name in names:
        if name not in columns.fieldNames():
            there = ", ".join(columns.fieldNames())
            raise Mistake(f"{where}: KEY_COLUMNS names {name}, which is not in COLUMNS; there are {there}")
    return names


def _check_installed(schema: Any) -> None:
    try:
        import fastavro  # noqa: F401
        import google.protobuf  # noqa: F401
    except ImportError:
        raise Mistake(
            f"{file_name(schema)}: ENCODING needs libraries that are not installed: pip install 'headrace[registry]'"
        ) from None
