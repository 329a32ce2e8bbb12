"""Histories of jobs that are killed again and again, and what became of their tables."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs import run
from jobs.admin import findings
from tests import delta
from tests.cluster.killed_job import RESULTS, ROOT
from tests.jobs.keeping import checks, readings
from tests.jobs.keeping.readings import Record
from tests.jobs.keeping.world import GrowingLog

STEPS = {"panes": ("quarantine", "panes", "windows", "ledger"), "seen": ("quarantine", "rows", "filters", "ledger")}
"""The commits of each result."""
POINTS = [
    *((first, f"{when} {step}") for first, steps in STEPS.items() for step in steps for when in ("before", "after")),
    *(("panes", f"{when} ledger#2") for when in ("before", "after")),  # the row of the windows
    *((first, f"file:{kind}") for first in STEPS for kind in ("offsets", "commits")),
]
"""Every moment that can be named: the result that runs first, and where it dies."""


@dataclass
class Report:
    """What a chaos run came to."""

    kills: int = 0
    restarts: int = 0
    records: int = 0
    lost: int = 0
    doubled: int = 0
    first_commit_seconds: list[float] = field(default_factory=list)
    """From the start of a process after a kill to its first commit."""

    def add(self, other: "Report") -> None:
        """Take the numbers of another history in."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def __str__(self) -> str:
        seconds = sorted(self.first_commit_seconds) or [0.0]
        return (
            f"{self.kills} kills, {self.restarts} restarts, {self.records} records, {self.lost} lost, "
            f"{self.doubled} doubled; from restart to the first new commit {seconds[len(seconds) // 2]:.1f} s "
            f"(median), {seconds[-1]:.1f} s (most)"
        )


@dataclass
class Side:
    """The tables of one result, as the checks want them."""

    places: run.Places
    name: str
    written: list[Record]

    def rows(self, suffix: str = "") -> list[dict[str, Any]]:
        return delta.rows(self.places.table(self.name + suffix))


class World(GrowingLog):
    """A log that grows, in either home, and two results over it whose process is killed."""

    def __init__(self, folder: Path, servers: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.file = folder, folder / "places.toml"
        lines = [f'{name} = "{name}"' for name in ("archive", "tables", "checkpoints")]
        more = ['log = "kafka"', *lines, "[kafka]", f'servers = "{servers}"'] if servers else lines
        self.file.write_text("\n".join([*more, ""]))
        super().__init__(run.places(self.file))
        self.report = Report()

    def start(self, first: str = "panes", when: str = "") -> "subprocess.Popen[str]":
        """A process of its own, with a group of its own."""
        command = [sys.executable, "-m", "tests.cluster.killed_job", str(self.file), first, when]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **pipes)

    def run(self, first: str = "panes", when: str = "") -> bool:
        """Run both jobs; whether they were killed. What else ends them is a failure."""
        process = self.start(first, when)
        out, err = process.communicate(timeout=600)
        killed = process.returncode == -signal.SIGKILL
        assert killed or process.returncode == 0, err[-3000:]
        self.report.kills += killed
        took = re.search(r"first commit after ([\d.]+) seconds", out)
        if self.report.kills > killed and took:
            self.report.first_commit_seconds.append(float(took[1]))
        self.report.restarts += self.report.kills > killed
        return killed

    def diagnose(self, first: str = "", when: str = "") -> None:
        """What `headrace doctor` finds: never anything that somebody has to mend; and a batch of `first` that was
        stopped between its first commit and its ledger row (it died at the moment `when`) is told of.
        """
        found = {name: findings.examine(self.places, result.name) for name, result in RESULTS.items()}
        wrong = [each.what for all_ in found.values() for each in all_ if each.wrong]
        assert not wrong
        halfway = when.startswith(("after ", "before ledger")) and not when.startswith("after ledger")
        if halfway:
            assert any("stopped in mid-batch" in each.what for each in found[first]), (when, found[first])

    def check(self) -> None:
        """Drain the log, count what is lost or doubled, and compare every table with what it must be."""
        assert not self.run()
        self.report.records = len(self.written)
        for name in RESULTS:
            side = Side(self.places, RESULTS[name].name, self.written)
            found = sum(row["records"] for row in side.rows("_ledger") if row["kind"] == "batch")
            self.report.lost += max(0, len(self.written) - found)
            self.report.doubled += max(0, found - len(self.written))
        self.diagnose()
        checks.check_panes(Side(self.places, RESULTS["panes"].name, self.written))
        checks.check_seen(Side(self.places, RESULTS["seen"].name, self.written))

    def checkpoints(self) -> list[Path]:
        """Of the newest generation of each result."""
        found: dict[Path, Path] = {}
        for path in sorted(Path(self.places.checkpoints).glob("*/generation-*")):
            if "aside" not in path.name:
                found[path.parent] = path
        return list(found.values())

    def lose(self) -> None:
        """The checkpoints are deleted."""
        shutil.rmtree(self.places.checkpoints)

    def truncate(self) -> None:
        """Every newest file of the checkpoints is cut in half, and Hadoop's checksum of it is gone."""
        for folder in self.checkpoints():
            for kind in ("offsets", "commits"):
                there = sorted((p for p in folder.glob(f"{kind}/*") if p.name.isdigit()), key=lambda p: int(p.name))
                if not there:  # killed before Spark wrote one
                    continue
                newest = there[-1]
                newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
                (newest.parent / f".{newest.name}.crc").unlink(missing_ok=True)

    def keep_copy(self) -> None:
        """Of the checkpoints, for `restore`."""
        shutil.copytree(self.places.checkpoints, self.folder / "copy", dirs_exist_ok=True)

    def restore(self) -> None:
        """The checkpoints are those of the copy."""
        self.lose()
        shutil.copytree(self.folder / "copy", self.places.checkpoints)


def history(world: World, kills: list[tuple[str, str]], spoil: dict[int, Callable[[], None]], seed: int) -> Report:
    """More of the log before each kill, `spoil` after some; then the end of the log, and the checks."""
    log = readings.interleaved(readings.log(seed=seed, each=8 * (len(kills) + 1)), seed)
    share = len(log) // (len(kills) + 1)
    for number, (first, when) in enumerate(kills):
        world.write(log[number * share : (number + 1) * share])
        if world.run(first, when):
            world.diagnose(first, when)
        spoil.get(number, lambda: None)()
        world.diagnose()
    world.write(log[len(kills) * share :])
    world.check()
    return world.report
