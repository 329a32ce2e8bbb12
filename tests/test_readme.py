"""The README is true: its tutorial is followed word for word, its tables and paths are those of the project."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.answers.result import Result
from jobs.decisions.membership import Membership
from jobs.events import event_time, fast_decoder, gate
from jobs.facts.panes import Panes
from jobs.keeping import first_records, locks
from jobs.log.archive import compaction, rewrite
from tests import delta

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TUTORIAL = "Your own topic in ten minutes"
JOBS = sorted(path for path in (ROOT / "jobs").glob("*.py") if path.stem not in ("run", "__init__"))

ACTIVATE, MAKE_ZIP = "source .venv/bin/activate", "make zip"
"""Commands of the tutorial that the test does in its own way: there is no .venv, and pip would ask the network."""


DEFAULTS = {
    "`max_records_per_batch`": f"{Result.max_records_per_batch:,}",
    "`publish_every`": Result.publish_every,
    "`allowed_lateness`": Result.allowed_lateness,
    "`lg_k`": f"{Panes.lg_k}: {2**Panes.lg_k:,} registers",
    "`count`": f"`{Panes.count}`",
    "`false_positive_rate`": f"{Membership.false_positive_rate}",
    "`expected_keys`": f"{Membership.expected_keys:,}",
    "`bucket`": Membership.bucket,
    "`MAX_VALUE_BYTES`": f"{gate.MAX_VALUE_BYTES:,} bytes",
    "`LONGEST_BYTES`": f"{fast_decoder.LONGEST_BYTES:,} bytes",
    "`MAX_AHEAD`": event_time.MAX_AHEAD,
    "`BIGINT_UNIT`": f"{event_time.BIGINT_UNIT} since 1970",
    "`ZONE`": event_time.ZONE,
    "`RECORDS`, `PARTITIONS`": f"{first_records.RECORDS} of each of {first_records.PARTITIONS} partitions",
    "tombstone": compaction.TOMBSTONES_FOR,
    "`VACUUM_HOURS`": f"{rewrite.VACUUM_HOURS} hours",
    "lock": f"{locks.WAIT_SECONDS:.0f} seconds",
}
"""What is in the first column of a row of the README's defaults, and what the code says."""


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found, f"the README has no section {title}"
    return found[1]


def blocks(text: str) -> list[tuple[str | None, str, str]]:
    """(name of the file, language, content) of each fenced block; the name stands alone on the line before it."""
    fence = re.compile(r"(?:^`([^`\n]+)`:\n\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [(name or None, language, content) for name, language, content in fence.findall(text)]


def headrace(folder: Path) -> Path:
    """A folder with the command headrace, for an environment into which the project is not installed."""
    folder.mkdir()
    script = folder / "headrace"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "from jobs.admin.headrace import main; main()" "$@"\n')
    script.chmod(0o755)
    return folder


def zipped(project: Path) -> None:
    """What `make zip` makes."""
    (project / "dist").mkdir(exist_ok=True)
    with zipfile.ZipFile(project / "dist" / "headrace.zip", "w") as archive:
        for package in ("jobs", "schemas", "sketches"):
            for path in sorted((project / package).rglob("*.py")):
                archive.write(path, path.relative_to(project))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, without its tables."""
    copy = tmp_path / "project"
    for folder in ("jobs", "schemas", "sketches", "conf"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / ".jars").symlink_to(ROOT / ".jars")
    return copy


HOURS = {
    ("08", "Harbour"): (4, (12 + 30 + 18 + 210) / 4, 12, 210, 3),  # b17 twice, b4, and b23 that came late
    ("08", "Museum"): (2, (21 + 12) / 2, 12, 21, 2),
    ("09", "Harbour"): (1, 24.0, 24, 24, 1),
}
"""Trips, mean, least and greatest duration, bicycles of each hour and station, worked out by hand."""


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
    commands = [python] if (python / "headrace").exists() else [python, headrace(folder / "bin")]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYSPARK_GATEWAY_PORT")
    }
    environment["PATH"] = os.pathsep.join([*map(str, commands), environment["PATH"]])
    environment["PYSPARK_PYTHON"] = sys.executable

    def ran(*command: str) -> str:
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return ran


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(project: Path, tmp_path: Path) -> None:
    """Each file is written, each command run; the numbers are those of the seven good trips, worked out by hand."""
    ran = shell(project, tmp_path)
    said, files, lines = "", [], []
    for name, language, content in blocks(section(TUTORIAL)):
        if name:
            (project / name).write_text(content)
            files.append(name)
        elif language == "python":
            said = ran(sys.executable, "-c", content)
        elif language == "text":
            assert said.split() == content.split()
        else:
            for line in content.splitlines():
                lines.append(line)
                if line == MAKE_ZIP:
                    zipped(project)
                elif line != ACTIVATE:
                    said = ran("bash", "-c", line)

    assert files == ["trips.ndjson", "schemas/trip.py", "jobs/trip_duration.py"]
    assert [line.split()[0] for line in lines] == ["source", "make", "headrace", "spark-submit", "headrace"]
    tables = project / "data" / "tables"
    assert hours(tables / "trip_duration_v1") == HOURS
    [bad] = delta.rows(tables / "trip_duration_v1_quarantine")
    assert (bad["reason"], bad["field"], bad["key"]) == ("wrong_type", "duration_minutes", b"b9")
    assert "wrong_type" in said and "duration_minutes" in said


def test_the_files_of_the_tutorial_are_not_in_the_project_yet() -> None:
    """They would be written over."""
    assert not [name for name, _, _ in blocks(section(TUTORIAL)) if name and (ROOT / name).exists()]


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_each_job_has_a_row(path: Path) -> None:
    [row] = [line for line in section("The jobs").splitlines() if line.startswith(f"| `jobs/{path.name}` |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 5 and all(cells)
    assert cells[1].endswith("?")


def test_no_job_is_named_that_is_not_there() -> None:
    assert len(re.findall(r"^\| `jobs/", section("The jobs"), re.MULTILINE)) == len(JOBS)


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_is_that_of_the_code(name: str) -> None:
    rows = [line.strip("|").split(" | ") for line in section("Defaults").splitlines() if line.startswith("| ")]
    [said] = [row[1] for row in rows if name in row[0]]
    assert said.startswith(DEFAULTS[name])


def test_each_path_it_names_exists() -> None:
    """Paths stand in backticks and begin with a folder of the project, or are a file of its root."""
    tutorial = {name for name, _, _ in blocks(section(TUTORIAL)) if name}
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    made = ("data/", "dist/", ".venv", ".jars")
    roots = ("jobs/", "schemas/", "sketches/", "conf/", "tests/", "notebooks/", ".ci/")
    ends = (".md", ".toml", ".py", ".conf", ".ipynb", "Makefile", "LICENSE")
    named = {
        word.split()[0] for word in re.findall(r"`([^`\n]+)`", prose) if word.startswith(roots) or word.endswith(ends)
    }
    missing = [
        path for path in named if path not in tutorial and not path.startswith(made) and not list(ROOT.glob(path))
    ]
    assert len(named) > 20
    assert not missing
