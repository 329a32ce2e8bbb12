"""What gives the numbers of a result their meaning beside its constants: its transform, and the columns that it reads.

The fingerprint changes only if the meaning does: columns that the result does not use may be added, removed or
changed; those it uses may change their places and get wider types. See jobs/keeping/definition/transform_plan.py.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from jobs.answers.result import Result
from jobs.events import event_time
from jobs.events.topic_schema import quote
from jobs.keeping import result_tables
from jobs.keeping.definition import transform_plan, wider_types
from jobs.keeping.definition.lineage import Path
from jobs.running import spark_plan

MARK = "2:"
"""Begins a fingerprint of this kind. Version 0.2.0 wrote another one, without a mark."""


@dataclass(frozen=True)
class Meaning:
    """What the transform of a result does, under one version of Spark."""

    fingerprint: str
    columns: StructType
    """The columns of the topic that the result uses, by name; of a struct the fields that it uses."""
    by_type: frozenset[Path]
    """Those whose type has an effect too, not their value alone."""


def transform_meaning(
    spark: SparkSession, result: Result, events: StructType, was: StructType | None = None
) -> Meaning:
    """The meaning of the transform of `result`, which gets the columns `events`; with `was`, as if the columns in it
    still had the types they have there.
    """
    if was is not None:
        events = wider_types.overlay(events, StructType([field for field in was if field.name != "event_time"]))
    transformed = result.transform(transform_plan.empty(spark, events))
    rows, columns = transform_plan.read(transformed, events.fieldNames())
    names = sorted(result.needed_columns(transformed.columns))
    text = "\n".join([rows.text, *(f"{quote(name)} is {columns[name].text}" for name in names)])
    lineages = [rows, *(columns[name] for name in names)]
    uses = {_topic_path(path, result) for lineage in lineages for path in lineage.uses}
    by_type = frozenset(_topic_path(path, result) for lineage in lineages for path in lineage.by_type)
    return Meaning(MARK + hashlib.sha256(text.encode()).hexdigest(), _used_columns(result.topic.COLUMNS, uses), by_type)


def _topic_path(path: Path, result: Result) -> Path:
    """The same path, but for event_time that of the topic's column which it is computed from."""
    return event_time.of_topic(result.topic).path if path == ("event_time",) else path


def _used_columns(columns: StructType, uses: set[Path]) -> StructType:
    """The columns that are used, by name; of a struct only the used fields, unless the whole struct is used."""
    fields = []
    for field in sorted(columns, key=lambda field: field.name):
        inside = {path[1:] for path in uses if path[0] == field.name}
        if not inside:
            continue
        kind = field.dataType
        if () not in inside and isinstance(kind, StructType):
            kind = _used_columns(kind, inside)
        fields.append(StructField(field.name, kind))
    return StructType(fields)


def type_text(kind: DataType) -> str:
    """A type, or columns with their types, as a person writes them and `parse_columns` reads them."""
    if isinstance(kind, StructType):
        return f"struct<{', '.join(f'{_name(field.name)}: {type_text(field.dataType)}' for field in kind)}>"
    if isinstance(kind, ArrayType):
        return f"array<{type_text(kind.elementType)}>"
    if isinstance(kind, MapType):
        return f"map<{type_text(kind.keyType)}, {type_text(kind.valueType)}>"
    return kind.simpleString()


def columns_text(columns: StructType) -> str:
    """Such as "at timestamp, shop string, cents int"."""
    return ", ".join(f"{_name(field.name)} {type_text(field.dataType)}" for field in columns)


def parse_columns(text: str) -> StructType:
    """The columns that `columns_text` has written."""
    return StructType.fromDDL(text) if text else StructType()  # type: ignore[return-value]


def _name(name: str) -> str:
    return name if re.fullmatch(r"[a-z_]\w*", name, re.ASCII | re.IGNORECASE) else quote(name)


def fingerprint_of_version_0_2_0(spark: SparkSession, result: Result, events: StructType) -> str:
    """The fingerprint as version 0.2.0 wrote it: Spark's whole plan, with all columns of the schema file."""
    transformed = result.transform(result_tables.empty_frame(spark, events))
    text = spark_plan.canonical_text(transformed)
    return hashlib.sha256(re.sub(r"#\d+L?", "#", text).encode()).hexdigest()


def schema_fingerprints(topics: Iterable[Any]) -> str:
    """Those of the schema files of several topics; of one topic its own."""
    prints = [schema_fingerprint(topic) for topic in topics]
    return prints[0] if len(prints) == 1 else hashlib.sha256(" ".join(prints).encode()).hexdigest()[:16]


def schema_fingerprint(topic: Any) -> str:
    """A fingerprint of a schema file, which decides which records of its topic are good. It is stored in commits, as
    their `reading`.
    """
    constants = {name: getattr(topic, name) for name in dir(topic) if name.isupper()}
    texts = [
        f"{name} {value!r}"
        for name, value in constants.items()
        if isinstance(value, (str, int, float, tuple, type(None)))
    ]
    texts += [f"{field.name} {type_text(field.dataType)} {field.nullable}" for field in topic.COLUMNS]
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]
