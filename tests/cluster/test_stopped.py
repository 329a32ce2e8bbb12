"""A run that is stopped in mid-batch: that batch comes to its end, and its windows are published."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from jobs import run
from jobs.keeping import last_run
from jobs.keeping.last_run import RunEnd
from jobs.log.archive import writer
from tests import delta

ROOT = Path(__file__).parent.parent.parent
RECORDS, BATCH = 6, 2
SCHEMA = '''"""Rides."""

from pyspark.sql.types import StringType, StructField, StructType, TimestampType

TOPIC = "rides"
KEY = None
EVENT_TIME = "begun"
COLUMNS = StructType([StructField("begun", TimestampType(), False), StructField("bike", StringType(), False)])
'''
JOB = f'''"""How many rides?"""

import time
from pathlib import Path

import rides_schema as rides
from jobs import keeping
from jobs.answers.result import Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start

HERE = Path(__file__).parent
WINDOWS = Windows(Panes(every="1 hour", by=("bike",), count="rides"), Tumbling("1 hour"))


def transform(events):
    return events.select("event_time", "bike")


RESULT = Result("rides_v1", Reads(rides, transform), WINDOWS, max_records_per_batch={BATCH})


def rest(moment):
    """The batch is at work until the test lets it go on."""
    if moment == "before panes":
        (HERE / "at_work").touch()
        while not (HERE / "go_on").exists():
            time.sleep(0.01)


def main(run: Run) -> None:
    run.step = rest
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
'''


class Project:
    """A folder with one job, and a log with RECORDS records; the job is started as a process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "output"
        (folder / "jobs").mkdir()
        (folder / "jobs" / "rides_schema.py").write_text(SCHEMA)
        (folder / "jobs" / "rides.py").write_text(JOB)
        (folder / "conf").mkdir()
        for name in ("spark-local.conf", "log4j2.properties"):
            (folder / "conf" / name).symlink_to(ROOT / "conf" / name)
        (folder / ".jars").symlink_to(ROOT / ".jars")
        file = folder / "conf" / "local.toml"
        file.write_text('archive = "../archive"\ntables = "../tables"\ncheckpoints = "../checkpoints"\n')
        self.places = run.places(file)
        values = [json.dumps({"begun": f"2024-05-01T08:00:0{n}Z", "bike": "b1"}).encode() for n in range(RECORDS)]
        times = pa.array([1_714_550_400_000_000] * RECORDS, pa.timestamp("us", "UTC"))
        columns = {"key": pa.nulls(RECORDS, pa.binary()), "value": pa.array(values), "timestamp": times}
        writer.append(self.places.archive, "rides", 1, [pa.record_batch(columns)])

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
        """A process with a group of its own, which is at work on its first batch."""
        everything = os.environ | {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable} | environment
        with self.output.open("wb") as out:
            started = subprocess.Popen(
                command, cwd=self.folder, env=everything, stdout=out, stderr=out, start_new_session=True
            )
        self.wait(started, (self.folder / "jobs" / "at_work").exists)
        return started

    def wait(self, started: "subprocess.Popen[bytes]", condition: Callable[[], bool]) -> None:
        """Until the condition holds; fails if the process has ended before."""
        while not condition():
            assert started.poll() is None, self.lines
            time.sleep(0.05)

    def finish(self, started: "subprocess.Popen[bytes]") -> int:
        """Let the batch go on when the run has said that it stops; returns the exit code."""
        self.wait(started, lambda: "stopping: " in "".join(self.lines))
        (self.folder / "jobs" / "go_on").touch()
        return started.wait(timeout=300)

    @property
    def lines(self) -> list[str]:
        """What the process has said, without what Java says of its own module."""
        return [line for line in self.output.read_text().splitlines() if "incubator" not in line]

    def rows(self, table: str) -> list[dict[str, Any]]:
        return delta.rows(self.places.table(table))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_in_a_continuous_run(project: Project) -> None:
    """The whole group of processes gets the signal, as from a terminal."""
    started = project.start(sys.executable, "jobs/rides.py", "--continuous", "100 milliseconds")
    os.killpg(started.pid, signal.SIGINT)
    assert project.finish(started) == 0, project.lines
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ INFO ", line) for line in project.lines), project.lines
    assert sum("stopping: " in line for line in project.lines) == 1
    [batch] = [row for row in project.rows("rides_v1_ledger") if row["kind"] == "batch"]
    [window] = project.rows("rides_v1")
    assert window["rides"] == batch["records"] > 0
    ended = last_run.read(project.places, "rides_v1")
    assert ended and (ended.end, ended.process) == (RunEnd.DONE, started.pid)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sigterm_to_spark_submit(project: Project) -> None:
    """A scheduler sends it to the process that it has started, which is Java, and not to Python."""
    submit = [f"{Path(sys.executable).parent}/spark-submit", "--properties-file", "conf/spark-local.conf"]
    started = project.start(*submit, "jobs/rides.py", HEADRACE_LOG_FORMAT="json")
    started.send_signal(signal.SIGTERM)
    assert project.finish(started) == 143, project.lines
    messages = [json.loads(line)["message"] for line in project.lines]
    assert messages[-1].startswith(f"done: {BATCH} records, ")
    assert messages[-1].endswith("1 batch; stopped before the end of the log, the next run goes on from there")
    [window] = project.rows("rides_v1")
    assert window["rides"] == BATCH
    ended = last_run.read(project.places, "rides_v1")
    assert ended and ended.end is RunEnd.STOPPED
