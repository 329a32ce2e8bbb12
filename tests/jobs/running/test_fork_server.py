"""A fork of the server is what Python itself would be, lives as long as who asked for it, and is not needed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from pyspark.sql import SparkSession

from jobs.log import home
from jobs.running import fork_server
from jobs.running.places import Places
from tests.jobs.admin.ledgers import fill

PYTHON = sys.executable
MODULE = """
import json
import os
import sys
import time

import of_python_path

of_process = [__name__, sys.argv[1:], sys.path[0], os.environ["GREETING"], os.getcwd(), sys.stdin.read()]
print(json.dumps(of_process))
print("told", file=sys.stderr)
if sys.argv[1] == "wait":
    print(os.getpid(), flush=True)
    time.sleep(600)
if sys.argv[1] == "fail":
    raise KeyError("nothing")
sys.exit({"number": 7, "text": "sorry", "none": None}[sys.argv[1]])
"""


@pytest.fixture(scope="module")
def program() -> str:
    """Asks a server that has imported json for a fork."""
    return fork_server.start(PYTHON, (("PYTHONHASHSEED", "0"),), ("json",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a module is, and beside it the folder that PYTHONPATH names."""
    (tmp_path / "told.py").write_text(MODULE)
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "of_python_path.py").touch()
    return tmp_path


def end_of(condition: Callable[[], bool]) -> None:
    """Wait until it is no longer so."""
    deadline = time.monotonic() + 30
    while condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"GREETING": "grüezi \udcff", "PYTHONPATH": str(folder / "path")}


@pytest.mark.parametrize("end", ["number", "text", "none", "fail"])
def test_it_says_and_ends_as_python_would(program: str, folder: Path, end: str) -> None:
    done = [
        subprocess.run(
            [python, "-m", "told", end, "a b", "ü"],
            input=b"of the pipe",
            capture_output=True,
            cwd=folder,
            env=environment(folder),
        )
        for python in (PYTHON, program)
    ]
    said = [json.loads(each.stdout) for each in done]
    assert said[0] == said[1] and said[1][:2] == ["__main__", [end, "a b", "ü"]]
    assert done[0].returncode == done[1].returncode
    first, last = (each.stderr.decode().splitlines() for each in done)
    assert (first[0], first[-1]) == (last[0], last[-1])


def test_it_ends_with_who_asked_for_it(program: str, folder: Path) -> None:
    with subprocess.Popen(
        [program, "-m", "told", "wait"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=folder,
        env=environment(folder),
    ) as asking:
        assert asking.stdout
        fork = [asking.stdout.readline(), int(asking.stdout.readline())][1]
        assert psutil.Process(fork).ppid() == fork_server.SERVERS[-1].pid
        asking.kill()
    end_of(lambda: psutil.pid_exists(fork))


def test_without_a_server_it_is_python(folder: Path) -> None:
    program = fork_server.start(PYTHON, (), ("json", "none_such"))
    server = fork_server.SERVERS.pop()
    server.send_signal(signal.SIGKILL)
    server.wait()
    done = subprocess.run(
        [program, "-m", "told", "number"], cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL
    )
    assert done.returncode == 7
    done = subprocess.run([program, "-c", "print(5)"], capture_output=True)
    assert done.stdout == b"5\n"
    shutil.rmtree(Path(program).parent)


def test_it_ends_and_leaves_nothing_when_who_started_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; from jobs.running import fork_server; print(fork_server.start(sys.executable, (), ()));"
        "print(fork_server.SERVERS[0].pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE, text=True) as starting:
        assert starting.stdout
        program, server = starting.stdout.readline().strip(), int(starting.stdout.readline())
        assert Path(program).exists() and psutil.pid_exists(server)
        starting.kill()
    end_of(lambda: psutil.pid_exists(server))
    assert not Path(program).parent.exists()


def test_spark_gets_its_helpers_from_it(spark: SparkSession, places: Places) -> None:
    fill(places, "searches", {0: 60})
    python = spark.sparkContext.pythonExec
    query = home.read(spark, places, "searches").writeStream.format("noop").start()
    try:
        query.processAllAvailable()
        forks = [each for server in fork_server.SERVERS for each in psutil.Process(server.pid).children()]
        assert len(forks) >= 4, "for the schema, the plan, the offsets and the records"
    finally:
        query.stop()
    end_of(lambda: all(each.is_running() for each in forks))  # the one for the offsets ends with its query
    assert spark.sparkContext.pythonExec == python


def test_on_a_cluster_it_is_python_that_is_started() -> None:
    context: Any = SimpleNamespace(master="spark://one:7077", pythonExec="python3", environment={})
    with fork_server.forks_for_sources(SimpleNamespace(sparkContext=context), ()):  # type: ignore[arg-type]
        assert context.pythonExec == "python3"
