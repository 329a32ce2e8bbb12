"""The text of the schema file of a topic of events."""

import json
import re
from collections.abc import Iterator, Sequence

from pyspark.sql.types import ArrayType, DataType, DecimalType, StructField, StructType

from jobs.admin.new.event_time_guess import EventTimeGuess
from jobs.admin.new.files import WIDTH
from jobs.admin.new.record_fields import Field


def text(topic: str, fields: Sequence[Field], time: EventTimeGuess, key: Field | None) -> str:
    """The schema file of a topic with these fields."""
    constants = _Constants()
    columns = constants.columns(fields)
    words = re.findall(r"\b[A-Z][A-Za-z]+Type\b", "\n".join([*columns, *constants.lines]))
    lines = "\n".join
    more = "".join(f"{line}\n" for line in (*_about_time(time), *constants.lines))
    return f'''"""Records of the topic {topic}. Written from a sample of them: look at each type."""

{lines(imports("pyspark.sql.types", sorted({"StructField", "StructType", *words})))}

TOPIC = {literal(topic)}
"""Name of the topic."""

KEY = {literal(key.name) if key else None}
"""What the record key holds: records of one key are in one partition, in order. None: records may have no key."""

EVENT_TIME = {literal(time.name) if time.name else None}
"""The field that says when it happened. None: the record's own timestamp."""

{more}# Say what a column means, and its tables say it, too: StructField(..., False, {{"comment": "Mean speed, km/h."}})
COLUMNS = StructType(
    [
{lines(columns)}
    ]
)
"""The JSON object in the record's value. A column that is not nullable (False) must be there; fields without a column
are left out. A record that does not fit waits in quarantine."""
'''


def imports(module: str, names: Sequence[str]) -> list[str]:
    """An import of names that are in order."""
    line = f"from {module} import {', '.join(names)}"
    return [line] if len(line) <= WIDTH else [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def literal(words: str) -> str:
    """A text as Python has it, in the quotation marks that need no escape, if there are such."""
    quoted = json.dumps(words, ensure_ascii=False)
    return f"'{words}'" if '"' in words and "'" not in words and quoted.count("\\") == words.count('"') else quoted


def _about_time(time: EventTimeGuess) -> Iterator[str]:
    if time.unit:
        yield f"EVENT_TIME_UNIT = {literal(time.unit)}"
        yield '"""Unit of its numbers, since 1970: guessed by their size."""'
        yield ""
    elif not time.has_zone:
        yield 'ZONE = "UTC"'
        yield '"""Zone of times and dates that are written without one, such as "Europe/Berlin"."""'
        yield ""


class _Constants:
    """Types of objects within objects, each under a name of its own."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._names: set[str] = set()

    def columns(self, fields: Sequence[Field]) -> list[str]:
        """A line for each field."""
        return [self._line(field.struct_field(), ()) for field in fields]

    def _line(self, field: StructField, path: tuple[str, ...]) -> str:
        parts = (literal(field.name), self._kind(field.dataType, (*path, field.name)), str(field.nullable))
        line = f"        StructField({', '.join(parts)}),"
        return line if len(line) <= WIDTH else f"        StructField(\n            {', '.join(parts)}\n        ),"

    def _kind(self, kind: DataType, path: tuple[str, ...]) -> str:
        if isinstance(kind, ArrayType):
            return f"ArrayType({self._kind(kind.elementType, path)})"
        if isinstance(kind, DecimalType):
            return f"DecimalType({kind.precision}, {kind.scale})"
        if not isinstance(kind, StructType):
            return f"{type(kind).__name__}()"
        lines = [self._line(each, path) for each in kind]
        name = self._name(path)
        self.lines += [f"{name} = StructType(", "    [", *lines, "    ]", ")", ""]
        return name

    def _name(self, path: tuple[str, ...]) -> str:
        words = re.sub(r"\W", "_", "_".join(path), flags=re.ASCII).strip("_").upper()
        name = f"{words or 'INSIDE'}_FIELDS"
        name = f"F_{name}" if name[0].isdigit() else name
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name
