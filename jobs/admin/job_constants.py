"""A job file with other constants: executed from a changed syntax tree, so that the file itself stays as it is."""

import ast
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from jobs.admin.catalogue import why_not_loaded
from jobs.answers.result import Result
from jobs.running.errors import Refused


def load(file: Path, settings: Iterable[str] = ()) -> Result:
    """The RESULT of a job file, with the constants that `settings` (NAME=VALUE) give.

    Raises Refused if there is no such file, if it cannot be loaded or has no RESULT, and if a name is not that of one
    constant at the top of the file whose value is a literal.
    """
    if not file.is_file():
        raise Refused(f"there is no job file {file}.")
    try:
        tree = ast.parse(file.read_bytes(), str(file))
    except (SyntaxError, ValueError) as error:
        raise Refused(why_not_loaded(error)) from None
    for setting in settings:
        _replace_constant(file, tree, setting)
    result = getattr(_execute(file, tree), "RESULT", None)
    if not isinstance(result, Result):
        raise Refused(f"{file} has no RESULT.")
    return result


def _execute(file: Path, tree: ast.Module) -> ModuleType:
    module = ModuleType(f"job_{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # dataclasses look for their module
    try:
        exec(compile(tree, str(file), "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        raise Refused(why_not_loaded(error)) from None
    finally:
        # Spark's workers cannot import it: functions of modules that are not listed are sent to them as a whole.
        del sys.modules[module.__name__]
    return module


def _replace_constant(file: Path, tree: ast.Module, setting: str) -> None:
    name, is_there, text = setting.partition("=")
    name = name.strip()
    if not is_there:
        raise Refused(f'--set {setting!r}: give NAME=VALUE, such as --set LATENESS="1 hour".')
    nodes = [node for node in tree.body if name in _assigned_names(node)]
    if not nodes:
        raise Refused(f"--set {name}: {file} has no constant {name}; {_names_to_set(tree)}.")
    if len(nodes) > 1:
        raise Refused(f"--set {name}: {file} assigns {name} {len(nodes)} times, so it is no constant.")
    node = nodes[0]
    assert isinstance(node, ast.Assign | ast.AnnAssign)
    if node.value is None or not _is_literal(node.value):
        raise Refused(f"--set {name}: {name} in {file}, line {node.lineno}, is not a literal; {_names_to_set(tree)}.")
    value = _parse_value(name, text, ast.literal_eval(node.value))
    changed = ast.parse(repr(value), mode="eval").body
    for each in ast.walk(changed):
        ast.copy_location(each, node.value)
    node.value = changed


def _assigned_names(node: ast.stmt) -> list[str]:
    """NAME of a statement NAME = VALUE."""
    if isinstance(node, ast.AnnAssign):
        targets: list[ast.expr] = [node.target]
    else:
        targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True


def _names_to_set(tree: ast.Module) -> str:
    """The constants that can be set, for a message."""
    literals = [node for node in tree.body
                if isinstance(node, ast.Assign | ast.AnnAssign) and node.value and _is_literal(node.value)]  # fmt: skip
    times = Counter(name for node in tree.body for name in _assigned_names(node))
    names = [name for node in literals for name in _assigned_names(node) if times[name] == 1]
    return f"it has {', '.join(names)}" if names else "it has no constant that is a literal"


def _parse_value(name: str, text: str, before: Any) -> Any:
    """The value that `text` means; text without quotes is a string where one stands now. Raises Refused if it is of
    another type than the value in the file.
    """
    try:
        value = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    if isinstance(before, str) and not isinstance(value, str) and value is not None:
        value = text
    numbers = {int, float}
    if None in (before, value) or type(before) is type(value) or {type(before), type(value)} <= numbers:
        return value
    raise Refused(f"--set {name}: it is {before!r} in the file, and {text} is of another type: give a value like it.")
