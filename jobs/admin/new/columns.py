"""The columns of a table out of a sample: exact where Debezium says them, guessed where it does not, which is said."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.admin.new import time_guess
from jobs.admin.new.sample import Sample
from jobs.running.errors import Refused

_PLAIN = {
    "int8": "ShortType()",
    "int16": "ShortType()",
    "int32": "IntegerType()",
    "int64": "LongType()",
    "float32": "DoubleType()",
    "float64": "DoubleType()",
    "double": "DoubleType()",
    "float": "DoubleType()",
    "boolean": "BooleanType()",
    "bytes": "BinaryType()",
    "string": "StringType()",
}
"""By the type of Kafka Connect."""
_TIMES = (
    *("io.debezium.time.Timestamp", "io.debezium.time.MicroTimestamp", "io.debezium.time.NanoTimestamp"),
    "org.apache.kafka.connect.data.Timestamp",
)
_DEBEZIUM_UNITS = {"microseconds": _TIMES[1], "milliseconds": _TIMES[0]}
_DATES = ("io.debezium.time.Date", "org.apache.kafka.connect.data.Date")
_DECIMAL, _ANY_SCALE = "org.apache.kafka.connect.data.Decimal", "io.debezium.data.VariableScaleDecimal"
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4}){0,5}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")


@dataclass(frozen=True)
class NewColumn:
    """A column of the schema file."""

    name: str
    kind: str
    """As Python writes it: LongType()."""
    is_key: bool
    debezium: str | None = None
    """What Debezium calls the kind of its numbers, where they are times."""


@dataclass(frozen=True)
class NewTable:
    """The columns of a table."""

    columns: tuple[NewColumn, ...]
    guesses: tuple[str, ...]
    """A line for each thing that the sample does not tell, and what was taken for it."""


def table(sample: Sample, key: Sequence[str]) -> NewTable:
    """The columns of the table; `key`: its primary key, empty: the sample's. Raises Refused if nobody tells it."""
    guesses: list[str] = []
    primary = tuple(key) or _key(sample, guesses)
    unknown = [name for name in primary if name not in sample.values]
    if unknown:
        raise Refused(f"the records have no column {unknown[0]}; they have {', '.join(sample.values)}.")
    columns = []
    for name, values in sample.values.items():
        declared = sample.fields.get(name)
        found = _declared_type(name, declared, guesses) if declared else _guess(name, values, guesses)
        if found:
            columns.append(NewColumn(name, found[0], name in primary, found[1]))
    if not sample.fields:
        guesses.append(
            "no schema stands beside the records (schemas.enable=false), so all types are guessed: look at each. "
            "Dates look like any whole numbers, and are LongType() here"
        )
    return NewTable(tuple(sorted(columns, key=lambda one: not one.is_key)), tuple(guesses))


def _key(sample: Sample, guesses: list[str]) -> tuple[str, ...]:
    """The primary key, as the keys of records have it; else as it looks."""
    if len(sample.keys) == 1:
        return next(iter(sample.keys))
    if len(sample.keys) > 1:
        raise Refused("the records have keys of different columns: name the primary key, --key COLUMN.")
    in_all = [name for name in sample.values if all(row.get(name) is not None for row in sample.deleted)]
    if sample.deleted and len(in_all) < len(sample.values):
        guesses.append(f"primary key: {', '.join(in_all)}, as deletions have no other column; else --key COLUMN")
        return tuple(in_all)
    if "id" in sample.values:
        guesses.append("primary key: id, by its name, as the sample has no keys; else --key COLUMN")
        return ("id",)
    raise Refused("the sample has no keys of records: name the primary key, --key COLUMN.")


def _declared_type(name: str, declared: Mapping[str, Any], guesses: list[str]) -> tuple[str, str | None] | None:
    """The type that Debezium tells, and its name of it if the schema file needs that. None: no column can be of it."""
    kind, debezium = declared.get("type"), declared.get("name")
    if debezium in _TIMES:
        return "TimestampType()", debezium
    if debezium in _DATES:
        return "DateType()", None
    if debezium == "io.debezium.time.ZonedTimestamp":
        return "TimestampType()", None
    if debezium == _DECIMAL:
        more = declared.get("parameters", {})
        digits, scale = int(more.get("connect.decimal.precision", 0)), int(more.get("scale", 0))
        if not 0 < digits <= 38:
            why = f"none has {digits} digits" if digits else "nothing says its digits"
            guesses.append(f"column {name}: DecimalType(38, {scale}), as {why}")
        return f"DecimalType({digits if 0 < digits <= 38 else 38}, {min(scale, 38)})", None
    if debezium == _ANY_SCALE:
        guesses.append(f"column {name}: DecimalType(38, 10), as its numbers have any scale")
        return "DecimalType(38, 10)", None
    if kind == "array":
        items = _declared_type(name, declared.get("items", {}), guesses)
        return _array(name, items, guesses)
    if kind in _PLAIN:
        return _PLAIN[str(kind)], None
    _leave_out(name, str(debezium or kind), guesses)
    return None


def _array(name: str, items: tuple[str, str | None] | None, guesses: list[str]) -> tuple[str, str | None] | None:
    if items and not items[1]:
        return f"ArrayType({items[0]})", None
    if items:
        _leave_out(name, "an array of times", guesses)
    return None


def _leave_out(name: str, kind: str, guesses: list[str]) -> None:
    guesses.append(f"column {name} is left out: there is no type for {kind}")


def _guess(name: str, values: Sequence[Any], guesses: list[str]) -> tuple[str, str | None] | None:
    """A type that has all these values."""
    kinds = {type(value) for value in values}
    if not kinds:
        guesses.append(f"column {name}: StringType(), as all its values are null")
        return "StringType()", None
    if kinds == {int}:
        return _guess_number(name, values, guesses)
    if kinds <= {int, float}:
        return "DoubleType()", None
    if kinds == {bool}:
        return "BooleanType()", None
    if kinds == {str}:
        return _guess_text(name, values, guesses)
    if kinds == {list}:
        items = _guess(name, [item for value in values for item in value if item is not None], guesses)
        return _array(name, items, guesses)
    if kinds == {dict} and all(value.keys() == {"scale", "value"} for value in values):
        guesses.append(f"column {name}: DecimalType(38, 10), as its numbers have any scale")
        return "DecimalType(38, 10)", None
    _leave_out(name, " or ".join(sorted(kind.__name__ for kind in kinds)), guesses)
    return None


def _guess_number(name: str, values: Sequence[int], guesses: list[str]) -> tuple[str, str | None]:
    unit = time_guess.unit(values, _DEBEZIUM_UNITS)
    if unit is None:
        return "LongType()", None
    guesses.append(f"column {name}: TimestampType(), as its numbers look like {unit} since 1970")
    return "TimestampType()", _DEBEZIUM_UNITS[unit]


def _guess_text(name: str, values: Sequence[str], guesses: list[str]) -> tuple[str, str | None]:
    if all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value) for value in values):
        guesses.append(f"column {name}: TimestampType(), as its texts are instants")
        return "TimestampType()", None
    if all(_BASE64.fullmatch(value) for value in values):
        guesses.append(
            f"column {name}: StringType(); if it is numeric in the database DecimalType(...), if bytea BinaryType()"
        )
    return "StringType()", None
