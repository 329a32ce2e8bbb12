"""Where an error is in the author's own files: job files, schema files, and all that is neither engine nor library."""

import dis
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

ROOMS = (
    *("admin", "answers", "decisions", "events", "facts", "keeping"),
    *("lake", "log", "publishing", "running"),
)
"""Folders of jobs/ that are the engine's; files in any other are an author's."""
_LIBRARIES = tuple(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts"))
_PACKED = (".zip", ".whl", ".egg")
_WHERE, _READ = "headrace_where", "headrace_read"
"""Attributes that an exception carries from where it is caught first to where it is explained."""


@dataclass(frozen=True)
class Place:
    """A line of a file."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{_relative(self.file)}, line {self.line}"


@dataclass(frozen=True)
class Location:
    """Where in the author's files an error is."""

    running: Place | None
    """The author's line that was at work, if one was."""
    transform: Place | None


def is_authors(file: str) -> bool:
    """Whether the author has written the file: it exists, and is none of the engine, of Python and of libraries."""
    path = _absolute(file)
    if file.startswith("<") or not (_archive(path) or path).exists():
        return False
    return not is_engine(path) and (_is_ours(path) or not _is_of_a_library(path))


def is_engine(file: str | Path) -> bool:
    """Whether it is a file of the engine; other files of jobs/ are job files."""
    path = _absolute(file)
    for above in _above(path, ("jobs", "sketches")):
        inner = path.relative_to(above).parts
        if not (_archive(path) or _is_the_project(above)):
            continue
        if inner[0] == "sketches" or inner[1] in (*ROOMS, "run.py", "__init__.py"):
            return True
    return False


def innermost(traceback: TracebackType | None) -> Place | None:
    """The author's line that was at work when the error was raised; None if no line of theirs was."""
    own = [step for step in steps(traceback) if is_authors(step.tb_frame.f_code.co_filename)]
    return Place(_absolute(own[-1].tb_frame.f_code.co_filename), own[-1].tb_lineno) if own else None


def at_work(traceback: TracebackType | None) -> Place | None:
    """As `innermost`, but None if the author's line was waiting for the engine."""
    files = [step.tb_frame.f_code.co_filename for step in steps(traceback)]
    known = [file for file in files if is_engine(file) or is_authors(file)]
    return innermost(traceback) if known and is_authors(known[-1]) else None


def steps(traceback: TracebackType | None) -> Iterator[TracebackType]:
    """The traceback from where the error was caught to where it was raised."""
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def is_the_engines_own(error: BaseException) -> bool:
    """Whether a line of the engine says `raise`: then the message is the project's, and holds no value of a record."""
    file = _raising_file(error)
    return file is not None and is_engine(file)


def is_raised_by_author(error: BaseException) -> bool:
    """Whether a line of the author says `raise`: then the message may hold anything."""
    file = _raising_file(error)
    return file is not None and is_authors(file)


def _raising_file(error: BaseException) -> str | None:
    """The file whose line says `raise`; None if the error came out of something else, as of a call of C code."""
    last = list(steps(error.__traceback__))[-1:]
    if not last or type(error).__module__.split(".")[0] in ("pyspark", "py4j"):
        return None  # pyspark makes up the last lines of a traceback from what a worker reports
    code = last[0].tb_frame.f_code
    return code.co_filename if dis.opname[code.co_code[last[0].tb_lasti]] == "RAISE_VARARGS" else None


def of_function(function: object) -> Place | None:
    """First line of a function of the author's; None if it is unknown, as of a function not written in Python."""
    inner = inspect.unwrap(function) if callable(function) else function
    inner = getattr(inner, "func", inner)  # of functools.partial
    code = getattr(inner, "__code__", None) or getattr(vars(type(inner)).get("__call__"), "__code__", None)
    return Place(_absolute(code.co_filename), code.co_firstlineno) if code and is_authors(code.co_filename) else None


@contextmanager
def note_location(transform: Callable[..., Any]) -> Iterator[None]:
    """An error from inside carries the author's line that was at work, and where `transform` begins."""
    try:
        yield
    except Exception as error:
        if location_of(error) is None:
            setattr(error, _WHERE, Location(at_work(error.__traceback__), of_function(transform)))
        raise


@contextmanager
def note_records(topic: str, starts: dict[int, int], ends: dict[int, int]) -> Iterator[None]:
    """An error from inside carries which records were read: of each partition the offsets [start, end)."""
    try:
        yield
    except Exception as error:
        spans = [(partition, starts.get(partition, 0), end) for partition, end in sorted(ends.items())]
        read = [f"partition {partition} offsets {start} to {end - 1}" for partition, start, end in spans if end > start]
        setattr(error, _READ, ", ".join([f"topic {topic}", *read]))
        raise


def location_of(error: BaseException) -> Location | None:
    """What `note_location` has found."""
    return getattr(error, _WHERE, None)


def records_of(error: BaseException) -> str | None:
    """What `note_records` has noted: topic, partitions and offsets."""
    return getattr(error, _READ, None)


def place(error: BaseException) -> Place | None:
    """The author's line to look at: the one that was at work, else the transform; None if neither is known."""
    known = location_of(error)
    return (known.running or known.transform) if known else innermost(error.__traceback__)


def _absolute(file: str | Path) -> Path:
    path = Path(file)
    return path if path.is_absolute() else _here() / path


def _here() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was deleted
        return Path("/")


def _relative(path: Path) -> str:
    """Relative to the current folder if it is below it."""
    packed = _archive(path)
    if packed:
        return f"{path.relative_to(packed)} in {packed.name}"
    for one in (path, path.resolve()):
        if one.is_relative_to(_here()):
            return str(one.relative_to(_here()))
    return str(path)


def _archive(path: Path) -> Path | None:
    """The zip that the file is in."""
    return next((folder for folder in path.parents if folder.suffix in _PACKED and folder.is_file()), None)


def _of_spark() -> list[Path]:
    """Folders or zips of pyspark and py4j."""
    modules = (sys.modules.get(name) for name in ("pyspark", "py4j"))
    return [Path(module.__file__).parent for module in modules if module and module.__file__]


def _is_of_a_library(path: Path) -> bool:
    if "site-packages" in path.parts or "dist-packages" in path.parts:
        return True
    return any(path.is_relative_to(folder) for folder in [*_LIBRARIES, *_of_spark()])


def _is_ours(path: Path) -> bool:
    """Whether it lies in one of the project's folders, also where these are installed beside libraries."""
    return any(_is_the_project(above) for above in _above(path, ("jobs", "schemas", "sketches")))


def _is_the_project(folder: Path) -> bool:
    return (folder / "jobs" / "running" / Path(__file__).name).is_file()


def _above(path: Path, names: tuple[str, ...]) -> list[Path]:
    return [folder.parent for folder in path.parents if folder.name in names]
