"""A fault that Python meets while it loads a job file or a schema file, as one line."""

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from jobs.running import diagnostics, mistakes, python_errors
from jobs.running.errors import Mistake, Refused

STARTERS = ("start", "job")
"""Functions of jobs.run that start a job: today's name, and that of version 0.2."""


def fault(error: BaseException) -> str | None:
    """File, line and what is wrong, if the author of the file can fix it; None if the error is not theirs."""
    if isinstance(error, Refused) and not isinstance(error, Mistake):
        return " ".join(str(error).split())
    place = _place(error)
    if place is None or not _is_the_authors(error):
        return None
    words = " ".join(str(error).split()) if isinstance(error, Mistake) else python_errors.message(error)
    return f"{place}: {words}"


def _place(error: BaseException) -> mistakes.Place | None:
    """The author's line to look at; that of a syntax error is in no traceback."""
    if isinstance(error, SyntaxError) and error.filename:
        known = mistakes.is_authors(error.filename)
        return mistakes.Place(Path(error.filename).absolute(), error.lineno or 1) if known else None
    return mistakes.innermost(error.__traceback__)


def _is_the_authors(error: BaseException) -> bool:
    """Whether the author's line is to blame, and not what it has called: a module that the engine misses, a fault of
    the engine itself.
    """
    if isinstance(error, Mistake | SyntaxError):
        return True
    if not isinstance(error, Exception):
        return False
    files = [step.tb_frame.f_code.co_filename for step in mistakes.steps(error.__traceback__)]
    last = [file for file in files if not file.startswith("<")][-1]
    if mistakes.is_authors(last):
        return True
    if mistakes.is_engine(last):
        return isinstance(error, TypeError | AttributeError | ValueError | LookupError | ArithmeticError)
    return not isinstance(error, ImportError)


def watch() -> None:
    """If the program is a job file, let a fault in it end in one line and exit code 1, before Java is started.

    HEADRACE_DEBUG=1 leaves Python's own words, as does an error that is not the author's.
    """
    if not _is_job(getattr(sys.modules.get("__main__"), "__file__", None)):
        return
    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        message = None if os.environ.get("HEADRACE_DEBUG") else fault(error)
        if isinstance(error, KeyboardInterrupt):
            message = "stopped before anything was read"
        if message is None:
            before(kind, error, traceback)
        else:
            diagnostics.complain(message)

    sys.excepthook = hook


def _is_job(file: str | None) -> bool:
    """Whether the file hands a function to jobs.run.start, or was meant to; by its old name, too."""
    try:
        text = Path(file or "").read_text(encoding="utf-8")
        tree = ast.parse(text) if any(f"{name}(" in text for name in STARTERS) else ast.Module([], [])
    except (OSError, ValueError, SyntaxError):
        return False
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return bool(called & {name for node in ast.walk(tree) for name in _names_of_start(node)})


def _names_of_start(node: ast.AST) -> Iterator[str]:
    """What jobs.run.start is called in a file with this import."""
    modules: list[str] = []
    if isinstance(node, ast.Import):
        modules = [each.asname or each.name for each in node.names if each.name == "jobs.run"]
    elif isinstance(node, ast.ImportFrom) and node.module == "jobs":
        modules = ["run", *(each.asname for each in node.names if each.name == "run" and each.asname)]
        # "run" also where the import is what is wrong
    elif isinstance(node, ast.ImportFrom) and node.module == "jobs.run":
        yield from STARTERS  # also where the import is what is wrong
        yield from (each.asname for each in node.names if each.name in STARTERS and each.asname)
    yield from (f"{module}.{name}" for module in modules for name in STARTERS)
