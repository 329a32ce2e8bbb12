"""How the values of a topic are encoded, as its schema file says: ENCODING = "avro" or "protobuf".

Each value becomes one JSON object with the columns of the schema file, or a reason why it cannot. From there on the
record is judged like any other: the same data gives the same events, however it was written.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow as pa
from pyspark.sql.types import StringType, StructField, StructType

from jobs.events.encodings import avro, protobuf
from jobs.events.encodings.json_values import json_value
from jobs.events.encodings.wire_format import Decode, Fault, split
from jobs.events.topic_schema import file_name, location
from jobs.running.errors import Mistake
from jobs.running.schema_text import SchemaSource, SchemaText

KINDS = {"avro": "AVRO", "protobuf": "PROTOBUF"}
"""By ENCODING, how a registry calls it."""
FAULT = StructType([StructField("reason", StringType()), StructField("field", StringType())])
_MOST_DECODERS = 1_000
"""So many schemas are kept in a process; more begin anew."""


@dataclass
class Encoding:
    """How the values of one topic become JSON."""

    topic: str
    kind: str
    """avro or protobuf."""
    columns: StructType
    reader: str | None = None
    """Schema of Avro to which each record is resolved; None: as it was written."""
    source: SchemaSource | None = None
    """The registry, which `connect` names."""
    _decoders: dict[int, Decode | Fault] = field(default_factory=dict)

    def connect(self, source: SchemaSource) -> None:
        """Ask this registry from now on."""
        self.source = source

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_decoders": {}}

    def json_values(self, values: pa.Array) -> tuple[pa.Array, pa.Array]:
        """For each value one JSON object in UTF-8, null if there is none; and why there is none, as FAULT.
        Raises Refused if the registry cannot be asked.
        """
        made: list[bytes | None] = []
        faults: list[dict[str, str | None] | None] = []
        unknown: dict[int, Fault] = {}
        for value in values.to_pylist():
            try:
                made.append(None if value is None else self._object_text(value, unknown))
                faults.append(None)
            except Fault as fault:
                made.append(None)
                faults.append({"reason": fault.reason, "field": fault.field})
        kind = pa.struct([("reason", pa.string()), ("field", pa.string())])
        return pa.array(made, pa.binary()), pa.array(faults, kind)

    def _object_text(self, value: bytes, unknown: dict[int, Fault]) -> bytes:
        schema_id, rest = split(value)
        known = self._decoders.get(schema_id) or unknown.get(schema_id) or self._decoder(schema_id, unknown)
        if isinstance(known, Fault):
            raise Fault(known.reason, known.field)  # one that is raised again and again keeps every traceback
        try:
            return msgspec.json.encode(json_value(known(rest), self.columns))
        except (ValueError, TypeError, OverflowError, RecursionError):  # msgspec has no JSON for it
            raise Fault("not_decodable", f"schema id {schema_id}") from None

    def _decoder(self, schema_id: int, unknown: dict[int, Fault]) -> Decode | Fault:
        """The decoder of a schema. An unknown id is asked for again with the next records: it may be known then."""
        assert self.source is not None, "keeping connects it"
        schema = self.source.find(schema_id)
        if schema is None:
            return unknown.setdefault(schema_id, Fault("unknown_schema", f"schema id {schema_id}"))
        if len(self._decoders) >= _MOST_DECODERS:
            self._decoders.clear()
        return self._decoders.setdefault(schema_id, self._make(schema))

    def _make(self, schema: SchemaText) -> Decode | Fault:
        about = f"schema id {schema.schema_id}"
        if schema.kind != KINDS[self.kind]:
            return Fault("schema_mismatch", about)
        try:
            return avro.decoder(schema, self.reader) if self.kind == "avro" else protobuf.decoder(schema)
        except ValueError:
            return Fault("schema_mismatch", about)


def of_topic(topic: Any) -> Encoding | None:
    """How the schema file says that values are encoded; None: as JSON."""
    encoding: Encoding | None = getattr(topic, "ENCODED", None)
    return encoding


def encoded_topic(schema: Any) -> Any:
    """The topic with its Encoding as ENCODED, if its schema file names one; else the schema file itself.

    Raises Mistake if it names another one, if READER_SCHEMA is none, and if the libraries are not installed.
    """
    kind = getattr(schema, "ENCODING", None)
    if kind is None or of_topic(schema):
        return schema
    if kind not in KINDS:
        raise Mistake(
            f"{location(schema, 'ENCODING')}: ENCODING is {kind!r}; take one of {', '.join(KINDS)}, or leave it out "
            "for JSON"
        )
    _check_installed(schema)
    reader = getattr(schema, "READER_SCHEMA", None)
    if reader is not None and kind != "avro":
        raise Mistake(
            f"{location(schema, 'READER_SCHEMA')}: READER_SCHEMA is for Avro; a message of Protobuf tells its fields "
            "by number: leave it out"
        )
    if reader is not None:
        avro.check_reader(location(schema, "READER_SCHEMA"), reader)
    constants = {name: getattr(schema, name) for name in dir(schema) if name.isupper()}
    file = {name: getattr(schema, name) for name in ("__name__", "__file__") if hasattr(schema, name)}
    columns = getattr(schema, "COLUMNS", StructType())
    return SimpleNamespace(**file, **constants, ENCODED=Encoding(schema.TOPIC, kind, columns, reader))


def _check_installed(schema: Any) -> None:
    try:
        import fastavro  # noqa: F401
        import google.protobuf  # noqa: F401
    except ImportError:
        raise Mistake(
            f"{file_name(schema)}: ENCODING needs libraries that are not installed: pip install 'headrace[registry]'"
        ) from None
