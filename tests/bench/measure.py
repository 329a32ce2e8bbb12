"""Run one command and say what its whole process tree cost: CPU-seconds, wall time, peak memory, exit code.

`measure(command, log)` starts this file as a process of its own. That process makes itself the reaper of every
orphan below it (PR_SET_CHILD_SUBREAPER), so a JVM left behind by its launcher is waited for and counted by
getrusage(RUSAGE_CHILDREN). The kernel does not count a child whose parent ignores SIGCHLD, and the daemon that forks
Spark's Python workers does: the CPU time of such children is taken from samples of /proc, and is too low by at most
one interval for each of them. A total well below the sum of the samples is an error.
"""

import argparse
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36
SAMPLE_SECONDS = 0.2
GRACE_SECONDS = 30
"""How long processes left behind may go on after the command itself has ended."""


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost."""

    exit_code: int
    cpu_seconds: float
    """User and system, of every process of the tree, ended ones included."""
    cpu_ignored_seconds: float
    """The part of it that comes from samples: children whose parent ignores SIGCHLD."""
    cpu_sampled_seconds: float
    """The same from samples: a lower bound, there to check the count."""
    wall_seconds: float
    """Until the last process of the tree has ended."""
    peak_pss_bytes: int
    """Largest sampled sum over the tree; memory that processes share is counted once. Too low below a second or so."""
    peak_rss_bytes: int
    """The same, shared memory counted for each; at least the largest process."""


def ignores_children(pid: int) -> bool:
    """Whether the process ignores SIGCHLD, so that the kernel reaps its children and forgets their CPU time."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(line.split()[1] for line in lines if line.startswith("SigIgn:"))
    return bool(int(mask, 16) >> (signal.SIGCHLD - 1) & 1)


def tree_memory(root: psutil.Process) -> int:
    """Bytes of a process and all below it, shared pages counted once; one that ends meanwhile counts as nothing."""
    total = 0
    with suppress(psutil.Error):
        for process in [root, *root.children(recursive=True)]:
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total


class Sampler(threading.Thread):
    """Looks at the processes below this one every SAMPLE_SECONDS."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.peak_pss = self.peak_rss = 0
        self.cpu: dict[tuple[int, float], float] = {}
        """Last seen CPU-seconds by (process id, start time)."""
        self.ignored: dict[tuple[int, float], float] = {}
        """The same, with the children that were waited for, of processes whose parent ignores SIGCHLD."""

    def run(self) -> None:
        me = psutil.Process()
        while not self.ended.wait(SAMPLE_SECONDS):
            self.sample(me.children(recursive=True))

    def sample(self, processes: list[psutil.Process]) -> None:
        """Add up one moment; a process that ends meanwhile counts as nothing."""
        pss = rss = 0
        for process in processes:
            try:
                times = process.cpu_times()
                key = process.pid, process.create_time()
                self.cpu[key] = times.user + times.system
                if ignores_children(process.ppid()):
                    self.ignored[key] = self.cpu[key] + times.children_user + times.children_system
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            except (psutil.Error, OSError):
                continue
            fields = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
            pss += int(fields["Pss"].split()[0]) * 1024
            rss += int(fields["Rss"].split()[0]) * 1024
        self.peak_pss, self.peak_rss = max(self.peak_pss, pss), max(self.peak_rss, rss)


def end_leftovers() -> None:
    """Kill what is still below this process."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def reap(main: int) -> tuple[int, set[int]]:
    """Wait for every process below this one; the exit code of `main`, and the processes that were waited for here."""
    code = -1
    reaped: set[int] = set()
    timer = threading.Timer(GRACE_SECONDS, end_leftovers)
    timer.daemon = True
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            timer.cancel()
            return code, reaped
        reaped.add(pid)
        if pid == main:
            code = os.waitstatus_to_exitcode(status)
            timer.start()


def wrapper(command: list[str], log: Path, limit: float) -> Cost:
    """Run `command` as the only work of this process; it is killed after `limit` seconds."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")
    sampler = Sampler()
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"PYSPARK_PYTHON": sys.executable, **os.environ},
        )
    sampler.start()
    timer = threading.Timer(limit, end_leftovers)
    timer.daemon = True
    timer.start()
    process.returncode, reaped = reap(process.pid)
    wall = time.monotonic() - began
    sampler.ended.set()
    sampler.join()
    ignored = sum(seconds for (pid, _), seconds in sampler.ignored.items() if pid not in reaped)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(
        exit_code=process.returncode,
        cpu_seconds=used.ru_utime + used.ru_stime + ignored,
        cpu_ignored_seconds=ignored,
        cpu_sampled_seconds=sum(sampler.cpu.values()),
        wall_seconds=wall,
        peak_pss_bytes=sampler.peak_pss,
        peak_rss_bytes=max(sampler.peak_rss, used.ru_maxrss * 1024),
    )


def measure(command: list[str], log: Path, limit: float = threading.TIMEOUT_MAX) -> Cost:
    """Run `command` with its output in the file `log`; what it cost. After `limit` seconds it is killed: exit code -9.

    Raises RuntimeError when CPU time was lost: the count is below nine tenths of the sampled sum.
    """
    answer = log.with_suffix(".cost.json")
    options = ["--log", str(log), "--answer", str(answer), "--limit", str(limit)]
    subprocess.run([sys.executable, __file__, *options, "--", *command], check=True)
    cost = Cost(**json.loads(answer.read_text()))
    if cost.cpu_seconds < 0.9 * cost.cpu_sampled_seconds - 0.1:
        raise RuntimeError(f"CPU time was lost: counted {cost.cpu_seconds}, sampled {cost.cpu_sampled_seconds}")
    return cost


def main() -> None:
    """Measure the command on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", type=Path, required=True, help="file for what the command prints")
    parser.add_argument("--answer", type=Path, required=True, help="file for the cost, JSON")
    parser.add_argument("--limit", type=float, required=True, help="seconds")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    args.answer.write_text(json.dumps(asdict(wrapper(args.command, args.log, args.limit))))


if __name__ == "__main__":
    main()
