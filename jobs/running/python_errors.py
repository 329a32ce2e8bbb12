"""Python's own errors in an author's file, explained, with the remedy where that is clear.

Only names and types are shown, as a message may hold a value of a record: see `safe_message`.
"""

import builtins
import difflib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterable
from types import FrameType, ModuleType
from typing import Any

from jobs.running import mistakes

_LONGEST = 300
"""Characters of a message that are shown."""
_MOST = 12
"""Names in a list."""

_UNEXPECTED = r"(.+)\(\) got an unexpected keyword argument '(\w+)'"
_PLAIN = (TypeError, ValueError, AttributeError, NameError)
"""Errors whose message is clear without the name of the class."""
_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_NAMES_AND_TYPES = {"arg_name", "arg_names", "arg_type", "attr_name", "func_name", "data_type", "expected_type"}
_NAMES_AND_TYPES |= {"actual_type", "return_type", "item_type", "allowed_types", "type"}
_NAMES_AND_TYPES |= {"left_dtype", "right_dtype", "col_name", "col_type", "field_name", "method_name"}


def message(error: BaseException) -> str:
    """The message of an error while a file is loaded: no record has been read yet."""
    words = _name_message(error)
    if words is None or _condition(error):
        words = str(error).removeprefix(f"[{_condition(error)}] ")
        if not isinstance(error, _PLAIN):
            words = f"{type(error).__name__}: {words}" if words else type(error).__name__
    return _one_line(words + _not_started(error))


def safe_message(error: BaseException) -> str | None:
    """The message of an error while records are read; None if it may hold more than names and types."""
    if mistakes.is_raised_by_author(error):
        return None
    if type(error).__module__ == "builtins" and isinstance(error, NameError | AttributeError | ImportError | TypeError):
        return _one_line(_name_message(error) or str(error))
    return _pyspark_message(error)


def _name_message(error: BaseException) -> str | None:
    """The message of an error about a name, with the name that was meant; None for any other error."""
    if isinstance(error, SyntaxError):
        return f"this is no Python: {error.msg}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _no_module(error.name)
    if isinstance(error, ImportError):
        return (_no_schema(str(error)) or str(error)) + _other_names(str(error))
    frame = _frame(error)
    if isinstance(error, NameError) and error.name and frame:
        known = {**vars(builtins), **frame.f_globals, **frame.f_locals}
        return str(error) + (_where_it_is(error.name, frame) or _suggestion(error.name, known))
    if isinstance(error, AttributeError) and error.name and type(error).__module__ == "builtins":
        return str(error) + _suggestion(error.name, dir(error.obj))
    if isinstance(error, TypeError) and (found := re.match(_UNEXPECTED, str(error))) and frame:
        return _no_keyword(found[1], found[2], frame)
    return str(error).replace(".__init__()", "()") if isinstance(error, TypeError) else None


def _where_it_is(name: str, frame: FrameType) -> str:
    """From where a name of headrace is imported that the file has not imported; nothing if there is no such."""
    modules = sorted({getattr(each, "__module__", None) or "" for each in frame.f_globals.values()})
    packages = {module.rpartition(".")[0] for module in modules} | set(modules)
    for module in sorted(package for package in packages if package.startswith("jobs.")):
        if name in getattr(sys.modules.get(module), "__all__", ()):
            return f": from {module} import {name}"
    return ""


def _no_module(name: str) -> str:
    """That there is no such module, and the similar or neighbouring ones."""
    above, _, last = name.rpartition(".")
    package = sys.modules.get(above) if above else None
    if package is None:
        close = _suggestion(name, {*sys.stdlib_module_names, *(module.name for module in pkgutil.iter_modules())})
        return f"there is no module {name}{close or ': install it in this Python, or mend the name'}"
    there = [module.name for module in pkgutil.iter_modules(getattr(package, "__path__", []))]
    return f"there is no module {name}{_suggestion(last, there) or _list(above, there)}"


def _no_schema(words: str) -> str | None:
    """That a schema file is not there, in place of where Python has found others; None for another import."""
    found = re.match(r"cannot import name '(.+?)' from 'schemas'", words)
    return f"there is no file schemas/{found[1]}.py in the project" if found else None


def _other_names(words: str) -> str:
    found = re.match(r"cannot import name '(.+?)' from '(.+?)'", words)
    module = sys.modules.get(found[2]) if found else None
    if not found or module is None:
        return ""
    there = {name for name in vars(module) if not name.startswith("_")}
    there |= {each.name for each in pkgutil.iter_modules(getattr(module, "__path__", []))}
    return _suggestion(found[1], there) or _list(found[2], there)


def _no_keyword(function_name: str, keyword: str, frame: FrameType) -> str:
    name = function_name.removesuffix(".__init__")
    words = f"{name}() takes no {keyword}"
    function = _look_up(name, frame)
    try:
        takes = [each.name for each in inspect.signature(function).parameters.values() if each.kind not in _MANY]
    except (TypeError, ValueError):
        return words
    return words + _suggestion(keyword, takes) + f"; it takes {', '.join(takes)}"


def _look_up(name: str, frame: FrameType) -> Any:
    """The object of this name in the file, or in a module that it has imported."""
    first, *rest = name.split(".")
    known = {**frame.f_globals, **frame.f_locals}
    places = [known, *(vars(module) for module in known.values() if isinstance(module, ModuleType))]
    found = next((place[first] for place in places if first in place), None)
    for part in rest:
        found = getattr(found, part, None)
    return found


def _pyspark_message(error: BaseException) -> str | None:
    """pyspark's message about a wrong call; None if it holds more than names and types."""
    parameters = getattr(error, "_messageParameters", None) or {}
    if _condition(error) is None or not set(parameters) <= _NAMES_AND_TYPES:
        return None
    if _condition(error) == "ATTRIBUTE_NOT_SUPPORTED":
        return f"there is no column {parameters.get('attr_name')}"
    return _one_line(str(error).removeprefix(f"[{_condition(error)}] "))


def _condition(error: BaseException) -> str | None:
    """The condition of an error of pyspark's Python; spark_errors has those that Java raised."""
    return getattr(error, "_errorClass", None)


def _not_started(error: BaseException) -> str:
    """Columns need Spark, which is not there while a file is loaded."""
    last = list(mistakes.steps(error.__traceback__))[-1:]
    spark = sys.modules.get("pyspark")
    if not last or not spark or not last[0].tb_frame.f_globals.get("__name__", "").startswith("pyspark."):
        return ""
    if getattr(spark, "SparkContext", None) is None or spark.SparkContext._active_spark_context is not None:
        return ""
    if not isinstance(error, AssertionError | RuntimeError):
        return ""
    return ": Spark is not started while a file is loaded. Make columns inside the transform"


def _frame(error: BaseException) -> FrameType | None:
    last = list(mistakes.steps(error.__traceback__))[-1:]
    return last[0].tb_frame if last else None


def _suggestion(name: str, there: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(set(there)), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _list(where: str, there: Iterable[str]) -> str:
    names = sorted(there)
    return f"; {where} has {', '.join(names[:_MOST])}{' ...' if len(names) > _MOST else ''}" if names else ""


def _one_line(words: str) -> str:
    short = " ".join(words.split())
    return short if len(short) <= _LONGEST else short[:_LONGEST] + " ..."
