"""A schema as a registry has it, and who is asked for one: shared by what reads the registry and what decodes by it."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class SchemaText:
    """A schema as a registry has it."""

    schema_id: int
    kind: str
    """AVRO, PROTOBUF or JSON."""
    text: str
    """JSON of an Avro schema; of Protobuf the file's descriptor, serialised, in base64."""
    references: tuple[tuple[str, "SchemaText"], ...] = ()
    """Other schemas that it names, each by the name it uses."""


class SchemaSource(Protocol):
    """A registry, as whoever decodes records asks it."""

    def find(self, schema_id: int) -> SchemaText | None:
        """The schema of this id; None if the registry has none. Raises Refused if the registry cannot be asked."""
