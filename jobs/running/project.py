"""The folder of the project at work: its jobs/ and schemas/ lie beside those that are installed.

It is the folder above jobs/ if the program is a job file there; else the nearest one, from the current folder upwards,
that has conf/local.toml or .jars; else the current folder.
"""

import os
import sys
from pathlib import Path

PLACES = Path("conf", "local.toml")
"""The places file of a project."""
PLACES_VARIABLE = "HEADRACE_PLACES"
"""The environment variable that names another."""


_BY_FOLDER: dict[Path, Path] = {}
"""By current folder the project that was found: it is looked for once in a process."""


def folder() -> Path:
    """See above. An absolute path."""
    program = _job_file()
    if program is not None:
        return program.parent.parent
    here = Path.cwd()
    if here not in _BY_FOLDER:
        marks = (PLACES, Path(".jars"))
        above = (each for each in (here, *here.parents) if any((each / mark).exists() for mark in marks))
        if (found := next(above, None)) is None:
            return here  # until a command has made one
        _BY_FOLDER[here] = found
    return _BY_FOLDER[here]


def places_file() -> Path:
    """The places file where none is named: that of the environment, or of the project. It need not be there."""
    named = os.environ.get(PLACES_VARIABLE)
    found = Path(named) if named else folder() / PLACES
    return PLACES if found == Path.cwd() / PLACES else found


def default_file(name: str) -> Path:
    """The file of this name in conf/ that is used where a project has none."""
    return Path(__file__).parent / "conf" / name


def show() -> None:
    """Let Python find the packages of the project, after all others."""
    path = str(folder())
    if path not in sys.path:
        sys.path.append(path)


def _job_file() -> Path | None:
    """The program, if it is a file of a folder jobs/ that is not a command's."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    path = Path(file).absolute() if file else None
    return path if path and path.parent.name == "jobs" and path.suffix == ".py" else None
