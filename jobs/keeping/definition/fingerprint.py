"""What gives the numbers of a result their meaning beside its constants: its transform, and the columns that it reads.

The fingerprint of the transform is as wide as its meaning: a column that the result does not use may come, go, or
change, the used ones may change their places, and may get wider types; see jobs/keeping/definition/transform_plan.py.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from jobs.answers.result import Result
from jobs.events import event_time
from jobs.events.topic_schema import quote
from jobs.keeping import result_tables
from jobs.keeping.definition import transform_plan, wider_types
from jobs.keeping.definition.transform_plan import Path
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
    """Those of which the type counts, not the value alone."""


def of(spark: SparkSession, result: Result, events: StructType, was: StructType | None = None) -> Meaning:
    """The meaning of the transform of `result`, which gets the columns `events`; with `was`, as if some of them still
    had these types.
    """
    if was is not None:
        events = wider_types.overlaid(events, StructType([field for field in was if field.name != "event_time"]))
    transformed = result.transform(transform_plan.empty(spark, events))
    rows, columns = transform_plan.read(transformed, events.fieldNames())
    kept = sorted(result.needed_columns(transformed.columns))
    text = "\n".join([rows.text, *(f"{quote(name)} is {columns[name].text}" for name in kept)])
    said = [rows, *(columns[name] for name in kept)]
    uses = {_of_topic(path, result) for one in said for path in one.uses}
    by_type = frozenset(_of_topic(path, result) for one in said for path in one.by_type)
    return Meaning(MARK + hashlib.sha256(text.encode()).hexdigest(), _used(result.topic.COLUMNS, uses), by_type)


def _of_topic(path: Path, result: Result) -> Path:
    """The event time comes of a column of the topic's own."""
    return event_time.of_topic(result.topic).path if path == ("event_time",) else path


def _used(columns: StructType, uses: set[Path]) -> StructType:
    """Those that are used, by name; of a struct the fields that are used, unless the whole of it is."""
    fields = []
    for field in sorted(columns, key=lambda field: field.name):
        inside = {path[1:] for path in uses if path[0] == field.name}
        if not inside:
            continue
        kind = field.dataType
        if () not in inside and isinstance(kind, StructType):
            kind = _used(kind, inside)
        fields.append(StructField(field.name, kind))
    return StructType(fields)


def words(kind: DataType) -> str:
    """A type, or columns with their types, as a person writes them and `columns_of` reads them."""
    if isinstance(kind, StructType):
        return f"struct<{', '.join(f'{_name(field.name)}: {words(field.dataType)}' for field in kind)}>"
    if isinstance(kind, ArrayType):
        return f"array<{words(kind.elementType)}>"
    if isinstance(kind, MapType):
        return f"map<{words(kind.keyType)}, {words(kind.valueType)}>"
    return kind.simpleString()


def columns_in_words(columns: StructType) -> str:
    """Such as "at timestamp, shop string, cents int"."""
    return ", ".join(f"{_name(field.name)} {words(field.dataType)}" for field in columns)


def columns_of(said: str) -> StructType:
    """What `columns_in_words` has written."""
    return StructType.fromDDL(said) if said else StructType()  # type: ignore[return-value]


def _name(name: str) -> str:
    return name if re.fullmatch(r"[a-z_]\w*", name, re.ASCII | re.IGNORECASE) else quote(name)


def of_version_0_2_0(spark: SparkSession, result: Result, events: StructType) -> str:
    """The fingerprint as version 0.2.0 wrote it: Spark's whole plan, with all columns of the schema file."""
    transformed = result.transform(result_tables.empty_frame(spark, events))
    text = spark_plan.canonical_text(transformed)
    return hashlib.sha256(re.sub(r"#\d+L?", "#", text).encode()).hexdigest()


def reading(topic: Any) -> str:
    """A fingerprint of what decides which records of a topic are good: all that its schema file says."""
    said = {name: getattr(topic, name) for name in dir(topic) if name.isupper()}
    texts = [
        f"{name} {value!r}" for name, value in said.items() if isinstance(value, (str, int, float, tuple, type(None)))
    ]
    texts += [f"{field.name} {words(field.dataType)} {field.nullable}" for field in topic.COLUMNS]
    return hashlib.sha256("\n".join(sorted(texts)).encode()).hexdigest()[:16]
