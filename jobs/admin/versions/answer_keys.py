"""Which tables a result has that can be compared, and which columns tell their rows apart, found in its ledger: a job
file of then may be gone.

A definition has each answer as the call that makes it, such as Latest(key=('id')). Only classes of jobs.answers are
made of it, and only of plain values.
"""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any

import jobs.answers
from jobs.answers import table_names
from jobs.answers.changes.change_answer import ChangeAnswer
from jobs.answers.result import WINDOWS
from jobs.answers.rules import rule_report
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.windows import KEYS
from jobs.running.errors import Refused

PLACE = ("record_partition", "record_offset")
"""The key of a table with a row for each record."""
_TOO_DEEP = (RecursionError, MemoryError)
"""What Python's parser raises for text that is nested too deeply."""


@dataclass(frozen=True)
class ComparedRows:
    """Rows of one table that follow from the log, and so are equal if two results are."""

    key: tuple[str, ...]
    """The columns that tell them apart."""
    where: str = ""
    """SQL that holds for these rows of the table; empty: for all."""
    measured: tuple[str, ...] = ()
    """Columns that are not compared, as they say what computing took."""
    of_answer: bool = True
    """Whether they are the rows of the answer itself, and not of a table beside it."""


def read(name: str, definition: dict[str, str]) -> dict[str, ComparedRows]:
    """By what follows the name of the result in the name of the table. {"": PLACE} of a result that keeps a row for
    each record. Raises Refused if the definition is of a version that wrote it otherwise.
    """
    keys: dict[str, ComparedRows] = {}
    try:
        if definition.get(WINDOWS):
            keys[""] = ComparedRows((*KEYS, *_groups(definition["panes"])))
        for statement in ast.parse(definition.get("answers", "")).body:
            assert isinstance(statement, ast.Expr)
            keys |= dict(_tables(_value(statement.value)))
    except (SyntaxError, ValueError, AssertionError, AttributeError, LookupError, TypeError, *_TOO_DEEP) as error:
        raise Refused(
            f"the ledger of {name} does not say in words of this version which columns tell its rows apart "
            f"({type(error).__name__}): name them with --key."
        ) from None
    return keys or {"": ComparedRows(PLACE)}


def _tables(answer: Any) -> Iterator[tuple[str, ComparedRows]]:
    """The table of an answer, and those beside it."""
    if isinstance(answer, ChangeAnswer):
        yield answer.name, ComparedRows(tuple(answer.row_key))
        deleted = table_names.table(answer.name, "deleted").lstrip("_")
        # The other rows say what is known of the log of the database, and so of the order of arrival.
        yield deleted, ComparedRows(tuple(answer.deletion_key), f'"{answer.key[0]}" is not null', of_answer=False)
        return
    yield answer.name, ComparedRows(tuple(answer.key))
    if isinstance(answer, StoredQueries):
        rules = table_names.part(answer.name, rule_report.TABLE).lstrip("_")
        measured = (rule_report.TRIED, rule_report.MICROS)
        yield rules, ComparedRows(tuple(answer.rules.row_key), measured=measured, of_answer=False)


def _groups(panes: str) -> tuple[str, ...]:
    """`by` of the fields of Panes, of which some have values that are no literals."""
    written = ast.parse(panes, mode="eval").body
    assert isinstance(written, ast.Dict)
    for key, value in zip(written.keys, written.values, strict=True):
        if isinstance(key, ast.Constant) and key.value == "by":
            return tuple(ast.literal_eval(value))
    return ()


def _value(node: ast.expr) -> Any:
    """What the text stands for: an answer, a part of one, or a literal."""
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name) and not node.args
        kind = _classes()[node.func.id]
        tuples = {field.name for field in fields(kind) if str(field.type).startswith("tuple")}
        given = {each.arg: _value(each.value) for each in node.keywords if each.arg}
        # A tuple of one value is written without its comma.
        return kind(**{name: _as_tuple(value) if name in tuples else value for name, value in given.items()})
    if isinstance(node, ast.Tuple):
        return tuple(map(_value, node.elts))
    return ast.literal_eval(node)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


@cache
def _classes() -> dict[str, Any]:
    """The dataclasses of jobs.answers, by name."""
    modules = pkgutil.walk_packages(jobs.answers.__path__, f"{jobs.answers.__name__}.")
    values = [value for module in modules for value in vars(importlib.import_module(module.name)).values()]
    return {each.__name__: each for each in values if isinstance(each, type) and is_dataclass(each)}
