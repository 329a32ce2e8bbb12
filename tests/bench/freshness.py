"""How old is a record when it can be seen? 5,000 records a second into Kafka, the benchmark's job in continuous mode.

A record is seen in the panes (and so in windows merged on read) when the commit of its batch is in the table's Delta
log, and in the published windows when the first commit of windows is there that holds its batch: times of the log's
files, less the record's timestamp. The flow begins before it is counted, until the job is warm; afterwards the job is
killed with SIGKILL and started again, and the time to its next commit taken.

python tests/bench/freshness.py --seconds 60 --publish "2 seconds"
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import headrace_job
import numpy as np
import psutil
from bench_input import PARTITIONS, ROOT, Input
from confluent_kafka.admin import AdminClient, NewTopic
from freshness_flow import TOPIC, record_times

AFTER_SECONDS = 45
"""The flow goes on so long after what is counted: for the kill and the restart."""
TABLE = "page_rate_v1"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=5_000, help="records a second")
    parser.add_argument("--warm", type=int, default=90, help="seconds before it counts")
    parser.add_argument("--seconds", type=int, default=60, help="seconds that count")
    parser.add_argument("--publish", default="1 minute", help="time between two publishings of windows")
    parser.add_argument("--every", default="0 seconds", help="trigger of the job")
    parser.add_argument("--profile", type=Path, default=ROOT / "conf" / "spark-local.conf")
    parser.add_argument("--burst", type=int, default=0, help="records sent at once at the end of what counts")
    return parser.parse_args()


Seen = tuple[float, dict[int, int]]
"""When something could be seen, and by partition the offset after the last record in it."""


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


def ages(
    times: dict[int, np.ndarray], seen: list[tuple[float, dict[int, int]]], first: float, last: float
) -> np.ndarray:
    """Seconds from its timestamp until it could be seen, of each record with a timestamp in [first, last)."""
    found = []
    for part, stamps in times.items():
        ends = np.array([end.get(part, 0) for _, end in seen])
        moments = np.array([moment for moment, _ in seen])
        which = np.searchsorted(np.maximum.accumulate(ends), np.arange(len(stamps)), side="right")
        counted = (stamps >= first) & (stamps < last)
        assert (which[counted] < len(seen)).all(), "a record was never seen"
        found.append(moments[which[counted]] - stamps[counted])
    return np.concatenate(found)


class Job:
    """The benchmark's job in continuous mode, in a group of processes of its own."""

    def __init__(self, log: Input, out: Path, args: argparse.Namespace) -> None:
        os.environ["BENCH_PROFILE"], os.environ["BENCH_PUBLISH"] = str(args.profile), args.publish
        self.command = [*headrace_job.command(log, out), "--continuous", args.every]
        self.printed = out / "job.log"
        self.memory: list[tuple[float, int]] = []
        """(time, bytes), each second."""

    def start(self) -> "Job":
        with self.printed.open("ab") as printed:
            self.process = subprocess.Popen(self.command, start_new_session=True, stdout=printed, stderr=printed)
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def _watch(self) -> None:
        me = psutil.Process(self.process.pid)
        while self.process.poll() is None:
            total = 0
            with suppress(psutil.Error):
                for process in [me, *me.children(recursive=True)]:
                    with suppress(psutil.Error):
                        total += process.memory_full_info().pss
            self.memory.append((time.time(), total))
            time.sleep(1)

    def end(self, how: signal.Signals) -> None:
        os.killpg(self.process.pid, how)
        self.process.wait(60)


def said(name: str, seconds: np.ndarray) -> str:
    """One line."""
    p50, p99 = np.percentile(seconds, [50, 99])
    return f"{name}: p50 {p50:.2f} s, p99 {p99:.2f} s, most {seconds.max():.2f} s, of {len(seconds):,} records"


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


def run(args: argparse.Namespace, servers: str, out: Path) -> list[str]:
    """The lines of the report."""
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS)])[TOPIC].result()
    log = Input(str(out / "archive"), TOPIC, PARTITIONS, 0, 0, 0, 2, servers)
    panes = out / "tables" / f"{TABLE}_panes"
    job = Job(log, out, args).start()
    length = args.warm + args.seconds + AFTER_SECONDS
    flow = [
        sys.executable,
        str(Path(__file__).with_name("freshness_flow.py")),
        servers,
        str(args.rate),
        str(length),
        str(args.warm + args.seconds),
        str(args.burst),
    ]
    begun = time.time()
    with subprocess.Popen(flow) as producer:
        time.sleep(max(0.0, begun + args.warm + args.seconds + 15 - time.time()))
        before = len(commits(panes))
        job.end(signal.SIGKILL)
        killed = time.time()
        job.start()
        again = wait_for(panes, before, 120) - killed
        producer.wait()
    times, first = record_times(servers), begun + args.warm
    for table in (panes, out / "tables" / TABLE):
        wait_for_the_end(table, times, 300)
    job.end(signal.SIGINT)
    lines = [f"{args.rate:,} records a second, publishing every {args.publish}, {args.profile.name}"]
    every = commits(panes)
    inside = [moment for moment, _ in every if first <= moment < first + args.seconds]
    apart = np.diff(inside)
    lines.append(f"{len(inside)} batches, {apart.mean():.2f} s apart on average, {apart.max():.2f} s at most")
    lines.append(said("in the panes", ages(times, every, first, first + args.seconds)))
    lines.append(said("in the windows", ages(times, commits(out / "tables" / TABLE), first, first + args.seconds)))
    lines.append(f"from kill -9 to the next commit: {again:.1f} s")
    lines.append(f"peak memory of the job: {max(size for _, size in job.memory) / 2**20:,.0f} MiB")
    return lines + whether_it_grows(job, out, times, every, first, args.seconds)


def whether_it_grows(
    job: Job, out: Path, times: dict[int, np.ndarray], every: list[Seen], first: float, seconds: int
) -> list[str]:
    """The first quarter of what counts beside the last, and the files that are left."""
    lines = []
    for name, start in (("first", first), ("last", first + seconds * 0.75)):
        inside = [size for moment, size in job.memory if start <= moment < start + seconds / 4]
        aged = said("in the panes", ages(times, every, start, start + seconds / 4))
        lines.append(f"{name} quarter: {aged}; median memory {np.median(inside) / 2**20:,.0f} MiB")
    for folder in sorted([*out.glob("tables/*"), *out.glob("checkpoints/*/generation-*")]):
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        lines.append(f"{folder.relative_to(out)}: {len(files):,} files, {size / 2**20:,.1f} MiB")
    return lines


def main() -> None:
    """Measure once, print."""
    args = arguments()
    sys.path.append(str(ROOT))
    kit: Any = import_module("tests.cluster.broker")
    with tempfile.TemporaryDirectory(prefix="headrace-fresh-") as place:
        broker = kit.Broker(Path(place) / "broker").start()
        try:
            out = Path(place) / "out"
            out.mkdir()
            print("\n".join(run(args, broker.servers, out)))
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
