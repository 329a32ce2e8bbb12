"""The schema file of a topic, if it has one: a module of the package `schemas` whose TOPIC is the topic's name."""

import importlib
import pkgutil
import re
import traceback
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from pyspark.sql.types import DataType, StructType

from jobs.running.errors import Mistake


def column_types(topic: str) -> dict[str, DataType]:
    """The types of the topic's columns by name; a column that two files declare differently is left out.
    Raises Mistake as `files` does.
    """
    types: dict[str, DataType] = {}
    contested = set()
    for module in files(topic):
        columns = getattr(module, "COLUMNS", None)
        for field in columns if isinstance(columns, StructType) else ():
            if types.setdefault(field.name, field.dataType) != field.dataType:
                contested.add(field.name)
    return {name: kind for name, kind in types.items() if name not in contested}


def files(topic: str) -> list[ModuleType]:
    """The schema files whose TOPIC it is. One of another topic that cannot be loaded is passed over; of this topic it
    raises Mistake.
    """
    import schemas

    modules = [_load(module.name, topic) for module in pkgutil.iter_modules(schemas.__path__)]
    return [module for module in modules if module is not None and getattr(module, "TOPIC", None) == topic]


def _load(name: str, topic: str) -> ModuleType | None:
    """The module, or None if it cannot be loaded and is not of the topic."""
    try:
        return importlib.import_module(f"schemas.{name}")
    except Exception as error:
        spec = find_spec(f"schemas.{name}")
        path = Path(spec.origin) if spec and spec.origin else None
        if path is None or not re.search(
            rf"^TOPIC\b[^=\n]*=\s*[\"']{re.escape(topic)}[\"']",
            path.read_text(encoding="utf-8", errors="replace"),
            re.MULTILINE,
        ):
            return None
        raise Mistake(
            f"schemas/{path.name}, the schema file of topic {topic}, cannot be loaded: "
            f"{type(error).__name__}{_place(error, path)}."
        ) from None


def _place(error: Exception, path: Path) -> str:
    """Where in the file it went wrong, if it did there."""
    if isinstance(error, SyntaxError):
        return f" in line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f" in line {lines[-1]}" if lines else ""
