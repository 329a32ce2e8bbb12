"""Values or keys of one topic that are encoded by a registry: decoded by the schema that each was written with."""

from dataclasses import dataclass, field
from typing import Any

from jobs.events.encodings import avro, protobuf
from jobs.events.encodings.wire_format import Decode, Fault, split
from jobs.running.schema_text import SchemaSource, SchemaText

KINDS = {"avro": "AVRO", "protobuf": "PROTOBUF"}
"""By ENCODING, how a registry calls it."""
_MOST_DECODERS = 1_000
"""So many schemas are kept in a process; more begin anew."""


@dataclass
class Encoding:
    """How the values of one topic, or its keys, are decoded."""

    kind: str
    """avro or protobuf."""
    reader: str | None = None
    """Schema of Avro to which each record is resolved; None: as it was written."""
    source: SchemaSource | None = None
    """The registry, which `TopicEncoding.connect` names."""
    is_key: bool = False
    """Whether it is of keys: faults say so."""
    _decoders: dict[int, tuple[Decode, SchemaText] | Fault] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_decoders": {}}

    def decode(self, content: bytes, unknown: dict[int, Fault]) -> tuple[Any, SchemaText]:
        """What the bytes say, as values of Python, and the schema that they were written with. Raises Fault; Refused if
        the registry cannot be asked. `unknown`: ids that the registry did not know a moment ago, which this fills.
        """
        try:
            schema_id, rest = split(content)
            known = self._decoders.get(schema_id) or unknown.get(schema_id) or self._decoder(schema_id, unknown)
            if isinstance(known, Fault):
                raise Fault(known.reason, known.field)  # one that is raised again and again keeps every traceback
            decoder, schema = known
            return decoder(rest), schema
        except Fault as fault:
            raise self.fault(fault.reason, fault.field) from None

    def fault(self, reason: str, field: str | None) -> Fault:
        """With words that say so if it is of a key."""
        if not self.is_key:
            return Fault(reason, field)
        return Fault(reason, f"{field} of the key" if field else "the key")

    def _decoder(self, schema_id: int, unknown: dict[int, Fault]) -> tuple[Decode, SchemaText] | Fault:
        """The decoder of a schema. An unknown id is asked for again with the next records: it may be known then."""
        assert self.source is not None, "keeping connects it"
        schema = self.source.find(schema_id)
        if schema is None:
            return unknown.setdefault(schema_id, Fault("unknown_schema", f"schema id {schema_id}"))
        if len(self._decoders) >= _MOST_DECODERS:
            self._decoders.clear()
        return self._decoders.setdefault(schema_id, self._make(schema))

    def _make(self, schema: SchemaText) -> tuple[Decode, SchemaText] | Fault:
        about = f"schema id {schema.schema_id}"
        if schema.kind != KINDS[self.kind]:
            return Fault("schema_mismatch", about)
        try:
            decode = avro.decoder(schema, self.reader) if self.kind == "avro" else protobuf.decoder(schema)
        except ValueError:
            return Fault("schema_mismatch", about)
        return decode, schema
