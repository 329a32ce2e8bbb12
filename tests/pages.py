"""The project's own pages, and what the tests that follow them need: their sections, their code, a shell."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from tests import delta

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TUTORIAL = "docs/tutorial.md"

FENCE = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

HOURS = {
    ("08", "Harbour"): (4, (12 + 30 + 18 + 13) / 4, 12, 30, 2),  # b17 three times, once late, and b4
    ("08", "Museum"): (2, (21 + 12) / 2, 12, 21, 2),
    ("09", "Harbour"): (1, 24.0, 24, 24, 1),
}
"""Of the tutorial: trips, mean, least and greatest duration, bicycles of each hour and station, worked out by hand."""


def page(name: str) -> str:
    """The text of a page, by its path."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, title: str) -> str:
    """What stands under a title of a page, down to the next of its kind."""
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", page(name), re.MULTILINE | re.DOTALL)
    assert found, f"{name} has no section {title}"
    return found[1]


def blocks(text: str) -> list[tuple[str | None, str, str]]:
    """(name of the file, language, content) of each fenced block; the name stands alone on the line before it."""
    return [(name or None, language, content) for name, language, content in FENCE.findall(text)]


def load_module(name: str, path: Path) -> ModuleType:
    """The Python file as a module of this name."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    made = importlib.util.module_from_spec(spec)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return FENCE.sub("", text)


def commands(text: str) -> Iterator[str]:
    """The lines that one types, each whole."""
    for _, language, content in blocks(text):
        if language == "sh":
            yield from content.replace("\\\n", "").splitlines()


def anchors(text: str) -> set[str]:
    """What a link may name after the #: the titles, as they are written where the project is hosted."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def hours(table: Path) -> dict[tuple[str, str], tuple[object, ...]]:
    """What stands in the tutorial's table, in the form of HOURS."""
    names = ("trips", "duration_minutes_mean", "duration_minutes_min", "duration_minutes_max", "bike_estimate")
    rows = delta.rows(table)
    return {(f"{row['window_start']:%H}", row["station"]): tuple(row[name] for name in names) for row in rows}


def shell(project: Path, folder: Path) -> Callable[..., str]:
    """Runs a command in the project as a user does who has installed headrace: what it says to the standard output.
    It must end with exit code 0. `folder` is for a command that is not installed.
    """
    python = Path(sys.executable).parent
    commands = [python] if (python / "headrace").exists() else [python, _headrace(folder / "bin")]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYSPARK_GATEWAY_PORT")
    }
    environment["PATH"] = os.pathsep.join([*map(str, commands), environment["PATH"]])
    environment["PYSPARK_PYTHON"] = sys.executable

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


def _headrace(folder: Path) -> Path:
    """A folder with the command headrace, for an environment into which the project is not installed."""
    folder.mkdir()
    script = folder / "headrace"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from jobs.admin.headrace import main; main()" "$@"\n')
    script.chmod(0o755)
    return folder
