"""A zip of the project that lacks what its source files say now: Spark would run the old code, and say nothing."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from jobs.running.errors import Refused

PACKAGES = ("jobs", "schemas", "sketches")
_MARK = "jobs/run.py"
"""In each zip of the project, and in each checkout."""


def check(script: str | None, path: Iterable[str] | None = None) -> None:
    """Raises Refused if a zip of the project in which Python looks for modules is not that of the checkout in which the
    job file `script` lies. Where there are no sources, as on a cluster that got the zip alone, nothing is checked.
    `path`: as sys.path, which is taken if none is given.
    """
    root = Path(script).resolve().parents[1] if script else None
    if root is None or not (root / _MARK).is_file():
        return
    for entry in sys.path if path is None else path:
        if entry.endswith(".zip") and (changed := next(_changed_files(Path(entry), root), None)):
            raise Refused(
                f"{entry} was built before {changed} was changed, and Spark would run what it has: build it anew with "
                "`make zip`."
            )


def _changed_files(archive: Path, root: Path) -> Iterator[str]:
    """Source files that the zip has not, or has otherwise; none if it is no zip of the project."""
    try:
        with ZipFile(archive) as packed:
            names = set(packed.namelist())
            for file in _sources(root) if _MARK in names else ():
                name = file.relative_to(root).as_posix()
                if name not in names or packed.read(name) != file.read_bytes():
                    yield name
    except (OSError, BadZipFile):  # Python has its own words for it
        return


def _sources(root: Path) -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((root / package).rglob("*.py"))
