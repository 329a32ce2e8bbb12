"""Avro: a value as the writer's schema says, and as the reader's schema of the schema file wants it."""

import json
from io import BytesIO
from typing import Any

from jobs.events.encodings.wire_format import Decode, Fault
from jobs.running.errors import Mistake
from jobs.running.schema_text import SchemaText


def parse(text: str, references: tuple[tuple[str, SchemaText], ...] = ()) -> Any:
    """The schema as fastavro takes it. Raises ValueError if it is none."""
    import fastavro
    from fastavro.schema import SchemaParseException, UnknownType

    named: dict[str, Any] = {}
    try:
        for _, other in _in_order(references):
            fastavro.parse_schema(json.loads(other.text), named_schemas=named)
        return fastavro.parse_schema(json.loads(text), named_schemas=named)
    except (SchemaParseException, UnknownType, KeyError, TypeError) as error:
        raise ValueError(f"it is no schema of Avro ({type(error).__name__})") from None


def _in_order(references: tuple[tuple[str, SchemaText], ...]) -> list[tuple[str, SchemaText]]:
    """Those that others name before these, each once."""
    found: dict[str, SchemaText] = {}
    for name, other in references:
        for inner, schema in (*_in_order(other.references), (name, other)):
            found.setdefault(inner, schema)
    return list(found.items())


def check_reader(where: str, text: object) -> None:
    """Raises Mistake unless it is a schema of Avro; `where`: the file and the line."""
    try:
        if not isinstance(text, str):
            raise ValueError("it is no text")
        parse(text)
    except ValueError as error:
        raise Mistake(
            f"{where}: READER_SCHEMA: {error}; give the JSON text of one, or leave it out: then each record is read by "
            "the schema that it was written with"
        ) from None


def decoder(schema: SchemaText, reader: str | None) -> Decode:
    """What decodes values that were written with this schema. Raises ValueError if it is none."""
    import fastavro
    from fastavro.read import SchemaResolutionError
    from fastavro.schema import SchemaParseException

    field = f"schema id {schema.schema_id}"
    writers, readers = parse(schema.text, schema.references), parse(reader) if reader else None

    def decode(rest: bytes) -> object:
        data = BytesIO(rest)
        try:
            value = fastavro.schemaless_reader(data, writers, readers)
        except SchemaResolutionError:
            raise Fault("schema_mismatch", field) from None
        except (
            *(EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, ArithmeticError),
            *(AttributeError, SchemaParseException),
        ):
            raise Fault("not_decodable", field) from None
        if data.tell() != len(rest):
            raise Fault("not_decodable", field)
        return value

    return decode
