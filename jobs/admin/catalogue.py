"""Finds a result by its name: the job files of the package `jobs`, or a job file of the user's own."""

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import jobs
from jobs.answers.result import Result
from jobs.running import loading, mistakes
from jobs.running.errors import Refused, explain


def find(name: str, file: Path | None = None) -> Result:
    """The RESULT of this name. Raises Refused if no job file has it, with the names that there are, and the files that
    could not be loaded.
    """
    results: dict[str, Result] = {}
    broken: list[str] = []
    for open_module in [partial(load, file)] if file else _modules():
        try:
            result = getattr(open_module(), "RESULT", None)
        except (Exception, SystemExit) as error:
            broken.append(why_not_loaded(error))
            continue
        if isinstance(result, Result):
            results[result.name] = result
    if name not in results:
        raise Refused(_no_result(name, results, broken, file))
    return results[name]


def _no_result(name: str, results: dict[str, Result], broken: list[str], file: Path | None) -> str:
    if file and broken:
        return broken[0]
    where = str(file) if file else "the package jobs"
    there = f"it has {', '.join(sorted(results))}" if results else "it has none"
    advice = "" if file else ". Name a job file of your own with --job"
    unread = f". Not loaded: {'; '.join(broken)}" if broken else ""
    return f"no job file of {where} has a RESULT with the name {name}; {there}{advice}{unread}."


def why_not_loaded(error: BaseException) -> str:
    """Why a job file could not be loaded: file, line, what is wrong."""
    if isinstance(error, SystemExit):
        return f"{mistakes.innermost(error.__traceback__)}: it ends the program while it is loaded"
    return loading.fault(error) or explain(error)


def _modules() -> Iterator[Callable[[], ModuleType]]:
    for module in pkgutil.iter_modules(jobs.__path__):
        if not module.ispkg and module.name != "run":
            yield partial(importlib.import_module, f"jobs.{module.name}")


def load(file: Path) -> ModuleType:
    """The module in `file`, which may import what lies in the current folder. Raises Refused if there is no such file,
    and whatever it raises itself.
    """
    if not file.is_file():
        raise Refused(f"there is no job file {file}.")
    spec = importlib.util.spec_from_file_location(f"job_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise Refused(f"{file} is not a Python file.")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
