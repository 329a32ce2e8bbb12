"""The benchmark's job in continuous mode, and what can be seen of it: its commits, its memory."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import headrace_job
import numpy as np
import psutil
from bench_input import ROOT, Input
from measure import tree_memory

Seen = tuple[float, dict[int, int]]
"""When something could be seen, and by partition the offset after the last record in it."""


class Job:
    """The job, in a group of processes of its own. `root`: the checkout whose code runs; `publish`: the time between
    two publishings; `every`: the trigger; `profile`: Spark's settings, None for those of the checkout.
    """

    def __init__(
        self, log: Input, out: Path, publish: str, every: str, profile: Path | None = None, root: Path = ROOT
    ) -> None:
        os.environ["BENCH_PROFILE"] = str(profile or root / "conf" / "spark-local.conf")
        os.environ["BENCH_PUBLISH"] = publish
        self.command = [*headrace_job.command(log, out, root), "--continuous", every]
        self.printed = out / "job.log"
        self.memory: list[tuple[float, int]] = []
        """(time, bytes), each second."""

    def start(self) -> "Job":
        """Start it, or start it again."""
        with self.printed.open("ab") as printed:
            self.process = subprocess.Popen(self.command, start_new_session=True, stdout=printed, stderr=printed)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def _watch(self) -> None:
        me = psutil.Process(self.process.pid)
        while self.process.poll() is None:
            self.memory.append((time.time(), tree_memory(me)))
            time.sleep(1)

    def end(self, how: signal.Signals) -> None:
        """Send a signal to all of its processes, and wait; nothing if it has ended."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            self.process.wait(60)


def commits(table: Path) -> list[Seen]:
    """Our commits to a table."""
    found = []
    for path in sorted(table.glob("_delta_log/*.json")):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        said = json.loads(
            next((line["commitInfo"].get("userMetadata") for line in lines if "commitInfo" in line), None) or "{}"
        )
        if "end_offsets" in said:
            found.append((path.stat().st_mtime, {int(part): end for part, end in dict(said["end_offsets"]).items()}))
    return found


def wait_for(table: Path, before: int, seconds: float) -> float:
    """When the first commit after the first `before` could be seen."""
    until = time.time() + seconds
    while time.time() < until:
        found = commits(table) if table.exists() else []
        if len(found) > before:
            return found[before][0]
        time.sleep(0.05)
    raise SystemExit("no commit came")


def wait_for_the_end(table: Path, times: dict[int, np.ndarray], seconds: float) -> None:
    """Until a commit holds the last record of each partition: a job that lags must catch up."""
    until = time.time() + seconds
    while any(len(stamps) > max(end.get(part, 0) for _, end in commits(table)) for part, stamps in times.items()):
        if time.time() > until:
            raise SystemExit(f"the job did not catch up in {seconds:.0f} seconds; commits: {len(commits(table))}")
        time.sleep(1)
