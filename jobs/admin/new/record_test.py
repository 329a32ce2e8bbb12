"""The text of the test of a first result: a few records of the sample, and what must come of them whatever they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql.types import DateType, TimestampType

from jobs.admin.new import time_guess
from jobs.admin.new.event_time_guess import EventTimeGuess
from jobs.admin.new.files import WIDTH
from jobs.admin.new.first_result import COUNT, Column, FirstResult
from jobs.admin.new.record_fields import Field
from jobs.admin.new.record_schema import literal

MOST = 3
"""Records in the test."""
_BAD = """

def test_a_record_that_lacks_its_fields_waits_in_quarantine(run_result: RunResult) -> None:
    rows = run_result(RESULT, [*RECORDS, {{}}])
    assert len(rows.quarantine) == 1
    assert sum(row["{count}"] for row in rows) == len(RECORDS)
"""


def text(name: str, result: FirstResult, rows: Sequence[Mapping[str, Any]], has_bad: bool) -> str:
    """The test file; `rows`: records that have all that the schema file asks for. `has_bad`: see is_empty_bad."""
    mean = next((column for column in result.averages if _is_everywhere(column, rows)), None)
    modules = {f"jobs.{name}": "RESULT", "jobs.testing.plugin": "RunResult"}
    imports = [f"from {module} import {modules[module]}" for module in sorted(modules)]
    pytest = [] if mean is None else ["import pytest", ""]
    of_mean = ""
    if mean:
        of_mean = f"""
    total = sum(row["{mean.name}_mean"] * row["{COUNT}"] for row in rows)
    assert total == pytest.approx(sum(record[{literal(mean.field.name)}] for record in RECORDS))"""
    records = "".join(f"    {python_text(row, 4)},\n" for row in rows)
    bad = _BAD.format(count=COUNT) if has_bad else ""
    head = "\n".join([f'"""What jobs/{name}.py makes of a few records."""', "", *pytest, *imports])
    return f'''{head}

RECORDS = [
{records}]
"""Of the sample. Better: records of which you know the answer, one that comes late among them."""


def test_each_record_is_counted_once(run_result: RunResult) -> None:
    """And the same if the log comes in several batches: cuts=1 tries that once."""
    rows = run_result(RESULT, RECORDS, cuts=1)
    assert rows.quarantine == []
    assert sum(row["{COUNT}"] for row in rows) == len(RECORDS){of_mean}
    # Work out rows by hand: assert rows.select({_example(result)}) == [(...), ...]
{bad}'''


def _is_everywhere(column: Column, rows: Sequence[Mapping[str, Any]]) -> bool:
    field = column.field
    return len(field.path) == 1 and all(isinstance(row.get(field.name), int | float) for row in rows)


def _example(result: FirstResult) -> str:
    return ", ".join(f'"{name}"' for name in ("window_start", *(column.name for column in result.by), COUNT))


def is_empty_bad(fields: Sequence[Field], time: EventTimeGuess, result: FirstResult) -> bool:
    """Whether a record that is an empty object cannot be read."""
    return time.field is not None or result.key is not None or not all(field.nullable for field in fields)


def pick(fields: Sequence[Field], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The first records that have a value of the right type in each field of the schema file."""
    names = {field.path[0] for field in fields}
    found: list[Mapping[str, Any]] = []
    for row in rows:
        if all(_fits(row.get(field.path[0]), field) for field in fields):
            found.append({name: row[name] for name in row if name in names})
        if len(found) == MOST:
            break
    return found


def _fits(value: Any, field: Field) -> bool:
    if value is None:
        return field.nullable
    if field.inside:
        return isinstance(value, dict) and all(_fits(value.get(each.path[-1]), each) for each in field.inside)
    if isinstance(field.kind, TimestampType | DateType) and isinstance(value, str):
        return time_guess.is_time(value) if isinstance(field.kind, TimestampType) else time_guess.is_date(value)
    kind = type(field.values[0]) if field.values else None
    return kind is None or type(value) is kind or {type(value), kind} <= {int, float}


def python_text(value: Any, indent: int, before: int | None = None) -> str:
    """A value of JSON as Python has it, in one line if there is room, else an item a line. `indent`: of the line that
    it begins in, and `before` the characters before it there, if they are more.
    """
    line = _line(value)
    fits = (before or indent) + len(line) + 1 <= WIDTH
    if fits or not value or not isinstance(value, dict | list):
        return line
    inside = indent + 4
    blank, items = " " * inside, ""
    for name, item in value.items() if isinstance(value, dict) else (("", item) for item in value):
        start = f"{blank}{literal(name)}: " if isinstance(value, dict) else blank
        part = f"{start}{python_text(item, inside, len(start))},"
        items += part + ("  # noqa: E501\n" if len(part.splitlines()[0]) > WIDTH else "\n")
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}\n{items}{' ' * indent}{closing}"


def _line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(name)}: {_line(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_line, value)) + "]"
    return literal(value) if isinstance(value, str) else repr(value)
