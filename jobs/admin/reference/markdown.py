"""Tables of Markdown, and the docstrings, defaults and paths of code that fill them."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a cell may have line breaks, which become spaces."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def attributes(kind: type) -> dict[str, str]:
    """The docstring beneath each annotated attribute of a class, or of a base of it in the same package; "" if there is
    none.
    """
    package = kind.__module__.split(".")[0]
    sentences: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.split(".")[0] == package:
            sentences |= _own_attributes(base)
    return sentences


def _own_attributes(kind: type) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    sentences: dict[str, str] = {}
    for statement, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = after.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else None
            sentences[statement.target.id] = str(text.value) if text else ""
    return sentences


def render_default(value: Any) -> str:
    """A default, as a person reads it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{value}`"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float) and value.is_integer():
        return f"{value:,.0f}"
    if value == "":
        return '`""`'
    return (
        f"`{value}`" if isinstance(value, str) else f"`{type(value).__name__}()`" if is_dataclass(value) else str(value)
    )


def path(module: ModuleType | type) -> str:
    """The file of a module, or of the module of a class."""
    name = module.__name__ if isinstance(module, ModuleType) else module.__module__
    return f"`{name.replace('.', '/')}.py`"
