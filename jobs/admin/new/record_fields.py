"""The fields of a sample's records: name, type and whether they may be missing. Arrow infers types of plain values."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.admin.new import number_texts, time_guess
from jobs.events.topic_schema import EVENT_TIME, PRIVATE, RECORD

_WORDS = {dict: "an object", list: "an array", str: "a text", bool: "true or false", int: "a number"}
_PLAIN = {pa.int64(): LongType(), pa.float64(): DoubleType(), pa.bool_(): BooleanType(), pa.string(): StringType()}
_BIGINT, _WIDEST = 2**63, 10**38
"""No bigint and no decimal is so large."""


@dataclass(frozen=True)
class Field:
    """A field of the records, or of an object within them."""

    path: tuple[str, ...]
    kind: DataType
    nullable: bool
    """Whether it is null or missing in a record of the sample; inside an object: in such an object."""
    values: list[Any]
    """Its values of this type, in the order of the sample."""
    inside: tuple["Field", ...] = ()
    """The fields of an object."""
    odd: int = 0
    """How many values are of another type, beside nulls."""

    @property
    def name(self) -> str:
        """As EVENT_TIME and messages name it."""
        return ".".join(self.path)

    @property
    def plain(self) -> "Iterator[Field]":
        """Itself, or what is inside an object."""
        if not self.inside:
            yield self
        for field in self.inside:
            yield from field.plain

    def struct_field(self) -> StructField:
        """As a column of Spark."""
        return StructField(self.path[-1], self.kind, self.nullable)


def of_rows(rows: Sequence[dict[str, Any]], notes: list[str], path: tuple[str, ...] = ()) -> list[Field]:
    """The fields of these objects, in the order in which they appear; `notes` get a line for what was guessed."""
    found, lowered = [], set()
    for name in dict.fromkeys(name for row in rows for name in row):
        if _is_refused(name, path, notes):
            continue
        if name.lower() in lowered:
            notes.append(
                f"field {_join(path, name)} is left out: its name differs from another in capital letters only"
            )
            continue
        lowered.add(name.lower())
        field = _field((*path, name), [row.get(name) for row in rows], notes)
        if field:
            found.append(field)
    return found


def _is_refused(name: str, path: tuple[str, ...], notes: list[str]) -> bool:
    """Whether headrace has a column of this name itself; `event_time` may be the event time."""
    refused = not name or (not path and (name.lower() in RECORD or name.startswith(PRIVATE)))
    if refused:
        notes.append(f"field {name!r} is left out: columns of headrace have this name")
    return refused


def _field(path: tuple[str, ...], values: Sequence[Any], notes: list[str]) -> Field | None:
    present = [value for value in values if value is not None]
    name, nullable = ".".join(path), len(present) < len(values)
    if not present:
        notes.append(f"field {name}: StringType(), as all its values are null")
        return Field(path, StringType(), True, [])
    kinds = Counter(map(_json_kind, present))
    [(kind, many)] = kinds.most_common(1)
    of_kind = [value for value in present if _json_kind(value) is kind]
    if many < len(present):
        others = ", ".join(f"{_WORDS[other]} in {times:,}" for other, times in kinds.items() if other is not kind)
        notes.append(
            f"field {name}: {_WORDS[kind]} in {many:,} records, {others}; a job puts these into quarantine (wrong_type)"
        )
    if kind is dict:
        inside = of_rows(of_kind, notes, path)
        if not inside:
            notes.append(f"field {name} is left out: its objects have no field that could be a column")
            return None
        return Field(path, StructType([each.struct_field() for each in inside]), nullable, of_kind, tuple(inside))
    if kind is list:
        element = _field((*path, "[]"), [item for value in of_kind for item in value], notes)
        return element and Field(path, ArrayType(element.kind), nullable, of_kind)
    plain = _plain_kind(of_kind)
    if isinstance(plain, StringType):
        plain, of_kind = _of_texts(name, of_kind, notes)
    return Field(path, plain, nullable, of_kind, odd=len(present) - len(of_kind))


def _json_kind(value: Any) -> type:
    return int if isinstance(value, float) else type(value)


def _plain_kind(values: Sequence[Any]) -> DataType:
    kind = _PLAIN[pa.infer_type(values)]
    if isinstance(kind, LongType) and any(abs(value) >= _BIGINT for value in values):
        return DecimalType(38, 0) if all(abs(value) < _WIDEST for value in values) else DoubleType()
    return kind


def _of_texts(name: str, texts: list[Any], notes: list[str]) -> tuple[DataType, list[Any]]:
    """The type of a field of texts, and those that are of it."""
    for kind, form, word in ((TimestampType(), time_guess.is_time, "times"), (DateType(), time_guess.is_date, "dates")):
        found = time_guess.those_of_most(texts, form)
        if found and len(found) < len(texts):
            odd = f"{len(texts) - len(found):,} of {len(texts):,}"
            notes.append(f"field {name}: {odd} are no {word}; a job puts these into quarantine (wrong_type)")
        if found:
            return kind, found
    if why := number_texts.note(texts):
        notes.append(f"field {name}: a text, though it looks like numbers; {why}")
    return StringType(), texts


def _join(path: tuple[str, ...], name: str) -> str:
    return ".".join((*path, name))


def without_event_time(fields: Sequence[Field], event_time: str | None, notes: list[str]) -> list[Field]:
    """The fields without one of the name that headrace gives to the event time, unless it is that."""
    kept = [field for field in fields if field.name.lower() != EVENT_TIME or field.name == event_time]
    if len(kept) < len(fields):
        notes.append(f"field {EVENT_TIME} is left out: a column of headrace has this name")
    return kept
