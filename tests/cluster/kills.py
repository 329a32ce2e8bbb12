"""Histories of jobs that are killed again and again, and what became of their tables."""

import os
import re
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import pyarrow as pa

from jobs import run
from jobs.admin import findings
from jobs.log.archive import writer
from jobs.log.kafka import producer
from tests import delta
from tests.cluster.broker import Broker
from tests.cluster.keeping import delete, make
from tests.cluster.killed_job import RESULTS, ROOT


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

    def compare(self, found: "Counter[Any]", due: "Counter[Any]") -> None:
        """Count what is due and was not found, and what was found too often."""
        self.lost += (due - found).total()
        self.doubled += (found - due).total()

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
    written: list[Any]

    def rows(self, suffix: str = "") -> list[dict[str, Any]]:
        return delta.rows(self.places.table(self.name + suffix))


class World(ABC):
    """A log that grows, in either home, and two results over it whose process is killed."""

    names: tuple[str, ...]
    """Of the results, in RESULTS."""
    topics: ClassVar[dict[str, int]]
    """Topics of the log, with their partitions."""
    delivered: tuple[str, ...] = ()
    """Topics that the results fill."""
    uncommitted: tuple[str, ...]
    """Moments of a process that leave something in a table of which the ledger knows nothing."""

    def __init__(self, folder: Path, servers: str | None = None) -> None:
        """With `servers` the log is in Kafka."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.file, self.report = folder, folder / "places.toml", Report()
        lines = [f'{name} = "{name}"' for name in ("archive", "tables", "checkpoints")]
        more = ['log = "kafka"', *lines, "[kafka]", f'servers = "{servers}"'] if servers else lines
        self.file.write_text("\n".join([*more, ""]))
        self.places = run.places(self.file)
        self.written: list[Any] = []

    @classmethod
    def in_kafka(cls, folder: Path, broker: Broker) -> Self:
        """One whose topics are made anew there."""
        delete(broker, *cls.topics, *cls.delivered)
        for topic, partitions in cls.topics.items():
            make(broker, topic, partitions)
        return cls(folder, broker.servers)

    @abstractmethod
    def log(self, kills: int, seed: int) -> list[Any]:
        """Records enough for so many kills, in the order in which they are written."""

    @abstractmethod
    def write(self, records: list[Any]) -> None:
        """Append these records."""

    @abstractmethod
    def compare(self) -> None:
        """Count what topics that are delivered have lost or doubled, and compare every table with what it must be."""

    def append(self, topic: str, batch: pa.RecordBatch) -> None:
        """Append to a topic, in either home."""
        if self.places.kafka:
            producer.append(self.places.kafka, topic, self.topics[topic], [batch])
        else:
            writer.append(self.places.archive, topic, self.topics[topic], [batch])

    def side(self, name: str) -> Side:
        """The tables of one result."""
        topics = set(RESULTS[name].topics)
        return Side(self.places, RESULTS[name].name, [one for one in self.written if self.topic_of(one) in topics])

    def topic_of(self, record: Any) -> str:
        """In which it is written."""
        [only] = self.topics
        return only

    def start(self, first: str = "", when: str = "") -> "subprocess.Popen[str]":
        """A process of its own, with a group of its own."""
        first = first or self.names[0]
        command = [sys.executable, "-m", "tests.cluster.killed_job", str(self.file), first, when]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **pipes)

    def run(self, first: str = "", when: str = "") -> bool:
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
        """What `headrace doctor` finds: never anything that somebody has to mend, but a failure whose cause is mended
        now; and a batch of `first` that was stopped between its first commit and its ledger row (it died at the moment
        `when`) is told of.
        """
        found = {name: findings.examine(self.places, RESULTS[name].name) for name in self.names}
        wrong = [each.what for all_ in found.values() for each in all_ if each.wrong and "last run" not in each.what]
        assert not wrong
        if when in self.uncommitted:
            assert any("stopped in mid-batch" in each.what for each in found[first]), (when, found[first])

    def check(self) -> None:
        """Drain the log, count what is lost or doubled, and compare every table with what it must be."""
        assert not self.run()
        self.report.records = len(self.written)
        for name in self.names:
            side = self.side(name)
            found = sum(row["records"] for row in side.rows("_ledger") if row["kind"] == "batch")
            self.report.compare(Counter(records=found), Counter(records=len(side.written)))
        self.diagnose()
        self.compare()

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
    log = world.log(len(kills), seed)
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
