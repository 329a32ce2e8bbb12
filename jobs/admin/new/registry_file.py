"""The text of the schema file of a topic whose values are encoded by a schema of a registry."""

import json

from pyspark.sql.types import ArrayType, DataType, DateType, DecimalType, LongType, MapType, StructType, TimestampType

from jobs.admin.new import registry_columns
from jobs.events.encodings import protobuf
from jobs.running.errors import Refused
from jobs.running.schema_text import SchemaText

_INDENT = "    "


def schema_file(
    topic: str, subject: str, schema: SchemaText, key_schema: SchemaText | None = None
) -> tuple[str, list[str]]:
    """The text, and a line for each thing that the schemas do not tell. Raises Refused for one of another kind."""
    columns, guesses = _columns(subject, schema)
    event_time, how = _event_time(columns)
    columns, key_lines, about_keys = _with_key(topic, columns, key_schema)
    guesses = [how, *about_keys, *guesses]
    lines = [f'"""Values of the topic {topic}, as schema id {schema.schema_id} of subject {subject} says."""', ""]
    names = sorted({*_type_names(columns), "StructField", "StructType"})
    lines += ["from pyspark.sql.types import (", *(f"{_INDENT}{name}," for name in names), ")", ""]
    lines += [f"TOPIC = {_text(topic)}", "KEY = None", f"EVENT_TIME = {_text(event_time) if event_time else None}"]
    lines += [f"ENCODING = {_text(schema.kind.lower())}", *key_lines, "COLUMNS = " + _struct(columns, "")]
    if schema.kind == "AVRO":
        text = json.dumps(json.loads(schema.text), indent=2, ensure_ascii=False)
        lines += [f'READER_SCHEMA = r"""{text}"""']
        lines += [
            '"""Records are read as this schema says, whichever version wrote them: what it adds has its default."""'
        ]
    return "\n".join([*lines, ""]), guesses


def _columns(subject: str, schema: SchemaText) -> tuple[StructType, list[str]]:
    """The columns that a schema gives, and a line for each thing that it leaves open. Raises Refused."""
    if schema.kind == "AVRO":
        return registry_columns.of_avro(schema.text)
    if schema.kind == "PROTOBUF":
        try:
            message = protobuf.MessageTypes(schema).descriptor((0,))
            columns, guesses = registry_columns.of_protobuf(message)
        except ValueError as error:
            raise Refused(f"schema id {schema.schema_id} of subject {subject} cannot be used: {error}.") from None
        return columns, [f"columns are those of message {message.full_name}, the first of the schema", *guesses]
    raise Refused(
        f"subject {subject} is of kind {schema.kind}: there are Avro and Protobuf. JSON needs no registry: "
        "docs/topics.md says what a schema file has."
    )


def _with_key(topic: str, columns: StructType, schema: SchemaText | None) -> tuple[StructType, list[str], list[str]]:
    """The columns with those that are in the key alone, the lines of the schema file about keys, and what is said."""
    no_key, subject = "KEY = None, as the schema of the value does not tell what keys hold", f"{topic}-key"
    if schema is None:
        return columns, [], [f"{no_key}, and the registry has no subject {subject}"]
    if schema.kind not in ("AVRO", "PROTOBUF"):
        return columns, [], [f"{no_key}; subject {subject} is of kind {schema.kind}, and its keys stay bytes"]
    lines = [f"KEY_ENCODING = {_text(schema.kind.lower())}"]
    if schema.kind == "AVRO" and not registry_columns.is_record(schema.text):
        how = "is one value: add its column to COLUMNS, and KEY_COLUMNS with the name, if a transform needs it"
        return columns, lines, [f"the key, of subject {subject}, {how}"]
    of_key, guesses = _columns(subject, schema)
    added = [field for field in of_key if field.name not in columns.names]
    if not added:
        return columns, lines, [f"the value has all fields of the key, which are those of subject {subject}", *guesses]
    names = [field.name for field in added]
    lines.append(f"KEY_COLUMNS = ({', '.join(map(_text, names))},)")
    how = f"{', '.join(names)}: in the key alone, as subject {subject} says"
    return StructType([*added, *columns]), lines, [how, *guesses]


def _event_time(columns: StructType) -> tuple[str | None, str]:
    """The first time among the columns, and the words that say so."""
    for kind in (TimestampType, DateType):
        for field in columns:
            if isinstance(field.dataType, kind):
                return field.name, f"EVENT_TIME is {field.name}, the first column that is a {kind().simpleString()}"
    whole = [field.name for field in columns if isinstance(field.dataType, LongType)]
    more = f"; if it is {whole[0]}, say so, and its EVENT_TIME_UNIT" if whole else ""
    return None, f"EVENT_TIME = None, the record's own timestamp, as no column is a time{more}"


def _type_names(kind: DataType) -> set[str]:
    if isinstance(kind, StructType):
        return {"StructField", "StructType"}.union(*(_type_names(field.dataType) for field in kind))
    if isinstance(kind, ArrayType):
        return {"ArrayType"} | _type_names(kind.elementType)
    if isinstance(kind, MapType):
        return {"MapType"} | _type_names(kind.keyType) | _type_names(kind.valueType)
    return {type(kind).__name__}


def _type(kind: DataType, indent: str) -> str:
    """As Python writes it."""
    if isinstance(kind, StructType):
        return _struct(kind, indent)
    if isinstance(kind, ArrayType):
        return f"ArrayType({_type(kind.elementType, indent)})"
    if isinstance(kind, MapType):
        return f"MapType({_type(kind.keyType, indent)}, {_type(kind.valueType, indent)})"
    more = f"{kind.precision}, {kind.scale}" if isinstance(kind, DecimalType) else ""
    return f"{type(kind).__name__}({more})"


def _struct(columns: StructType, indent: str) -> str:
    inner = indent + 2 * _INDENT
    fields = []
    for field in columns:
        comment = f', {{"comment": {_text(field.metadata["comment"])}}}' if field.metadata else ""
        parts = f"{_text(field.name)}, {_type(field.dataType, inner)}, {field.nullable}{comment}"
        fields.append(f"{inner}StructField({parts}),")
    return "\n".join(["StructType(", f"{indent}{_INDENT}[", *fields, f"{indent}{_INDENT}]", f"{indent})"])


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
