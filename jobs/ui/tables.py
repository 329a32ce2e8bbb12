"""The tables of a result, with their columns and what they mean."""

import json
from dataclasses import dataclass
from typing import Any

from deltalake import DeltaTable

from jobs.admin.standing import Facts
from jobs.ui import reading
from jobs.ui.reading import ReadingLine


@dataclass(frozen=True)
class ColumnDescription:
    """A column of a table."""

    name: str
    kind: str
    comment: str


@dataclass(frozen=True)
class TableDescription:
    """A Delta table."""

    name: str
    path: str
    rows: int | None
    """None: a file of the table does not say how many it has."""
    version: int
    sentence: str
    """Its description; empty if it has none."""
    columns: tuple[ColumnDescription, ...]
    reading: tuple[ReadingLine, ...]


def describe(facts: Facts) -> list[TableDescription]:
    """The tables of a result, what it publishes first."""
    return [_table(*each) for each in facts.tables]


def _table(name: str, rows: int | None, version: int, path: str) -> TableDescription:
    table = DeltaTable(path)
    columns = tuple(
        ColumnDescription(field["name"], _kind(field["type"]), str(field["metadata"].get("comment", "")))
        for field in json.loads(table.schema().to_json())["fields"]
    )
    sentence = table.metadata().description or ""
    return TableDescription(name, path, rows, version, sentence, columns, tuple(reading.lines(name, path)))


def _kind(kind: Any) -> str:
    """A type of Delta as a person writes it."""
    if isinstance(kind, str):
        return kind
    if kind["type"] == "array":
        return f"array<{_kind(kind['elementType'])}>"
    if kind["type"] == "map":
        return f"map<{_kind(kind['keyType'])}, {_kind(kind['valueType'])}>"
    fields = [f"{field['name']}: {_kind(field['type'])}" for field in kind["fields"]]
    return f"struct<{', '.join(fields)}>"
