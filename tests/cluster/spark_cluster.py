"""A real Spark cluster for tests: a master and two workers of a core each, started on this machine from the wheel,
stopped with everything that they started.

The workers know nothing of this checkout: they run in folders of their own, without PYTHONPATH, and have of the project
only what a job ships.
"""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
import uuid
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pyspark

from tests.cluster.broker import free_port

ROOT = Path(__file__).parent.parent.parent
SPARK = Path(pyspark.__file__).parent
DEPLOY = "org.apache.spark.deploy"
SHORT_LIVED = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""Options of Java for processes that end before its second compiler has paid off."""
FOREIGN = ("PYTHONPATH", "SPARK_CONF_DIR", "SPARK_HOME")
"""What would lead a worker back to the checkout."""


def packed(folder: Path) -> Path:
    """dist/headrace.zip, as `make zip` has built it; one of the same content if it is not there or is older."""
    built = ROOT / "dist" / "headrace.zip"
    sources = [path for package in ("jobs", "schemas", "sketches") for path in sorted((ROOT / package).rglob("*.py"))]
    if built.exists() and built.stat().st_mtime > max(path.stat().st_mtime for path in sources):
        return built
    with zipfile.ZipFile(folder / "headrace.zip", "w") as archive:
        for path in sources:
            archive.write(path, path.relative_to(ROOT))
    return folder / "headrace.zip"


def bare_python(folder: Path) -> Path:
    """A Python with this one's packages that does not find the project, even where it is installed as a link: the
    .pth files of a folder on PYTHONPATH are not read.
    """
    packages = sysconfig.get_path("purelib")
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{packages}" exec "{sys.executable}" -S "$@"\n')
    path.chmod(0o755)
    return path


class SparkCluster:
    """A standalone cluster. `url` is what spark-submit takes as its master."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder = folder
        self._workers = workers
        self._port, self._ui = free_port(), free_port()
        self.url = f"spark://127.0.0.1:{self._port}"
        self._started: list[subprocess.Popen[bytes]] = []
        folder.mkdir(parents=True)
        self.python = bare_python(folder)

    def start(self) -> "SparkCluster":
        """Start it, and wait until every worker has registered."""
        at = ["--host", "127.0.0.1", "--webui-port"]
        self._run("master", f"{DEPLOY}.master.Master", *at, str(self._ui), "--port", str(self._port))
        for number in range(self._workers):
            size = ["--cores", "1", "--memory", "1g", "--work-dir", str(self.folder / f"work-{number}")]
            self._run(f"worker-{number}", f"{DEPLOY}.worker.Worker", *at, "0", *size, self.url)
        until = time.monotonic() + 90
        while time.monotonic() < until:
            if self._alive() == self._workers:
                return self
            assert all(process.poll() is None for process in self._started), self.log()
            time.sleep(0.2)
        raise AssertionError(f"the workers did not register in 90 seconds\n{self.log()}")

    def _run(self, name: str, main: str, *arguments: str) -> None:
        home = self.folder / name
        home.mkdir()
        environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
        environment |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_DIRS": str(home)}
        environment |= {"SPARK_DAEMON_JAVA_OPTS": SHORT_LIVED}
        with (self.folder / f"{name}.log").open("ab") as out:
            command = [str(SPARK / "bin" / "spark-class"), main, *arguments]
            started = subprocess.Popen(
                command, cwd=home, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        self._started.append(started)

    def _alive(self) -> int:
        """The workers that the master knows."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ui}/json/", timeout=5) as page:
                found = re.search(rb'"aliveworkers"\s*:\s*(\d+)', page.read())
        except OSError:
            return 0
        return int(found[1]) if found else 0

    def log(self) -> str:
        """The last words of the master and the workers."""
        return "\n".join(path.read_text()[-2000:] for path in sorted(self.folder.glob("*.log")))

    def processes(self) -> list[psutil.Process]:
        """Everything that the master and the workers have started, and they themselves."""
        leaders = {process.pid for process in self._started}
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) in leaders and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return found

    def executors(self) -> list[psutil.Process]:
        """The Java processes that run tasks now."""
        return [p for p in self.processes() if any("CoarseGrainedExecutorBackend" in word for word in _words(p))]

    def stop(self) -> None:
        """End everything, workers before the master."""
        for process in reversed(self._started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
        until = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < until:
            for process in left:
                process.kill()
            time.sleep(0.1)
        assert not left, left


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@dataclass
class Submitted:
    """A job that spark-submit runs."""

    process: "subprocess.Popen[bytes]"
    output: Path

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def end(self, code: int = 0, seconds: float = 480) -> str:
        """Wait for it; what it said. It must end with this exit code."""
        try:
            self.process.wait(seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        said = self.output.read_text()
        assert self.process.returncode == code, said[-6000:]
        return said


def submit(
    cluster: SparkCluster, code: Path | None, script: Path, *arguments: str, path: Path | None = None
) -> Submitted:
    """spark-submit `script` to the cluster, with the project as the zip `code`. The driver runs here, in the checkout's
    folder, for the jars; of the project it too has only the zip and the script, unless `path` is where it is installed.
    """
    command = [str(Path(sys.executable).parent / "spark-submit"), "--properties-file", "conf/spark-cluster.conf"]
    command += ["--master", cluster.url, *(["--py-files", str(code)] if code else [])]
    small = {"spark.driver.memory": "768m", "spark.executor.memory": "512m", "spark.ui.enabled": "false"}
    small |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    small |= {"spark.local.dir": str(cluster.folder), "spark.executor.extraJavaOptions": SHORT_LIVED}
    small |= {"spark.sql.shuffle.partitions": "2"}
    for name, value in small.items():
        command += ["--conf", f"{name}={value}"]
    environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    environment |= {"PYSPARK_PYTHON": str(cluster.python), "SPARK_LOCAL_IP": "127.0.0.1"}
    environment |= {"SPARK_SUBMIT_OPTS": SHORT_LIVED}  # of the driver, beside the options of the profile
    environment |= {"PYTHONPATH": str(path)} if path else {}
    output = cluster.folder / f"driver-{uuid.uuid4()}.out"
    with output.open("wb") as out:
        command += [str(script), *arguments]
        return Submitted(
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out, start_new_session=True), output
        )
