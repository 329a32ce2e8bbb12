"""Finds a result by its name: the job files of the package `jobs`, or a job file of the user's own."""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import jobs
from jobs.run import Refused
from jobs.transforms.result import Result


def find(name: str, file: Path | None = None) -> Result:
    """The RESULT of this name. Raises Refused, with the names there are, if no job file has it."""
    known: dict[str, Result] = {}
    for module in [_loaded(file)] if file else _modules():
        result = getattr(module, "RESULT", None)
        if isinstance(result, Result):
            known[result.name] = result
    if name not in known:
        where = str(file) if file else "the package jobs"
        there = f"it has {', '.join(sorted(known))}" if known else "it has none"
        advice = "" if file else ". Name a job file of your own with --job"
        raise Refused(f"no job file of {where} has a RESULT with the name {name}; {there}{advice}.")
    return known[name]


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(jobs.__path__):
        if not found.ispkg and found.name != "run":
            yield importlib.import_module(f"jobs.{found.name}")


def _loaded(file: Path) -> ModuleType:
    """The module in `file`, which may import what lies in the current folder."""
    if not file.is_file():
        raise Refused(f"there is no job file {file}.")
    spec = importlib.util.spec_from_file_location(f"job_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise Refused(f"{file} is not a Python file.")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Refused(f"the job file {file} cannot be loaded: {type(error).__name__}.") from error
    return module
