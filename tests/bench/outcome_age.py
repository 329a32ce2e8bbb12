"""How old is an outcome when it can be read? 5,000 searches and clicks a second into Kafka, a result of both topics.

First the log gets the events of the ten minutes before, which a scheduled run reads: so many facts are in reach. It
also shows a row for each event that nothing decides yet; with --killed it is a continuous run instead, which does not.
Then the flow begins, and a continuous run is started: how long until its first publish? Of the rows that it publishes,
the age is the time at which they were written, less the time at which their outcome was certain: complete time, which
is 30 seconds behind the log, had reached `due_time`.

python tests/bench/outcome_age.py --rate 5000 --before-minutes 10 --seconds 120
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

import headrace_job
import numpy as np
import outcome_flow
import psutil
import pyarrow as pa
from bench_broker import broker
from bench_data import CHUNK, SCHEMA
from bench_input import PARTITIONS, ROOT
from deltalake import DeltaTable, QueryBuilder
from measure import tree_memory
from questions.join.data import CLICKS, SEARCHES

ALLOWED_SECONDS = 30
"""Late.allowed of the job."""
WARM_SECONDS = 60
"""The first rows that a run publishes have waited for it; they do not count."""
JOB = Path(__file__).with_name("outcome_job.py")


def history(topic: str, events: int, minutes: int, until: float) -> Iterator[pa.RecordBatch]:
    """The events of one topic in the minutes before `until`, seconds since 1970."""
    for first in range(0, events, CHUNK):
        places = np.arange(first, min(first + CHUNK, events))
        sent = (until - minutes * 60) * 1000 + places * (minutes * 60_000 / events)
        drawn = outcome_flow.records(np.random.default_rng([1, first]), sent.astype(np.int64), first)
        mine = [(key.encode(), value.encode(), moment * 1000) for of, key, value, moment in drawn if of == topic]
        keys, values, times = zip(*mine, strict=True)
        yield pa.record_batch([pa.array(keys), pa.array(values), pa.array(times, SCHEMA.field(2).type)], schema=SCHEMA)


class Tree:
    """What a process and all that it has started take of CPU and memory."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.samples: list[tuple[float, float, int]] = []
        """(time, CPU-seconds until then, bytes with shared pages counted once), each second."""
        threading.Thread(target=self._watch, args=(process,), daemon=True).start()

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        me, taken = psutil.Process(process.pid), dict[int, float]()
        while process.poll() is None:
            with suppress(psutil.Error):
                for each in [me, *me.children(recursive=True)]:
                    with suppress(psutil.Error):
                        times = each.cpu_times()
                        taken[each.pid] = times.user + times.system
            self.samples.append((time.time(), sum(taken.values()), tree_memory(me)))
            time.sleep(1)

    def cores(self, first: float) -> float:
        """CPU-seconds a second since then."""
        inside = [(moment, cpu) for moment, cpu, _ in self.samples if moment >= first]
        return (inside[-1][1] - inside[0][1]) / (inside[-1][0] - inside[0][0])


def ages(table: Path, first: float) -> np.ndarray:
    """Seconds of each row that was final when it was first written, after `first`."""
    sql = """select cast(arrow_cast(updated_time, 'Timestamp(Microsecond, Some("UTC"))') as bigint) as written,
             cast(arrow_cast(due_time, 'Timestamp(Microsecond, Some("UTC"))') as bigint) as due
             from it where revision = 1 and final"""
    rows = pa.table(QueryBuilder().register("it", DeltaTable(table)).execute(sql).read_all())
    written, due = (rows[name].to_numpy() / 1e6 for name in ("written", "due"))
    aged: np.ndarray = (written - due)[written >= first] - ALLOWED_SECONDS
    return aged


def publishes(ledger: Path) -> int:
    """How many publishes the ledger has."""
    sql = "select count(*) as n from it where kind = 'publish'"
    found = pa.table(QueryBuilder().register("it", DeltaTable(ledger)).execute(sql).read_all())
    return int(found["n"][0].as_py())


def next_publish(ledger: Path, before: int, limit: float) -> float:
    """When the ledger had more than so many publishes."""
    until = time.time() + limit
    while time.time() < until:
        if publishes(ledger) > before:
            return time.time()
        time.sleep(0.2)
    raise SystemExit("no publish came")


def read_and_kill(command: list[str], printed: BinaryIO, out: Path, events: int) -> None:
    """Let a continuous run read and publish so many events, and kill it: it shows no row that is not decided."""
    job = subprocess.Popen(command, start_new_session=True, stdout=printed, stderr=printed)
    ledger = out / "tables" / "clicked_v1_ledger"
    sql = "select coalesce(sum(records), 0) as n, max(published_sequence) >= max(sequence) - 1 as p from it"
    until = time.time() + 600
    try:
        while time.time() < until:
            time.sleep(1)
            with suppress(Exception):
                found = pa.table(QueryBuilder().register("it", DeltaTable(ledger)).execute(sql).read_all())
                if found["n"][0].as_py() >= events and found["p"][0].as_py():
                    return
        raise SystemExit("the events were not read")
    finally:
        os.killpg(job.pid, signal.SIGKILL)
        job.wait(60)


def measure(args: argparse.Namespace, servers: str, out: Path) -> None:
    """Fill the tables, start again with the flow, and print what came."""
    access, producer = import_module("jobs.running.kafka_access"), import_module("jobs.log.kafka.producer")
    events, now = args.rate * args.before_minutes * 60, time.time()
    for topic in (SEARCHES, CLICKS):
        records = history(topic, events, args.before_minutes, now)
        producer.append(access.Kafka(servers=servers), topic, PARTITIONS, records)
    command = headrace_job.submission(JOB, out, archive=f"{out}/archive", servers=servers)
    with (out / "job.log").open("wb") as printed:
        if args.killed:
            read_and_kill([*command, "--continuous", "0 seconds"], printed, out, events)
        else:
            subprocess.run(command, check=True, stdout=printed, stderr=printed)
        table = out / "tables" / "clicked_v1"
        ledger = out / "tables" / "clicked_v1_ledger"
        before = publishes(ledger)
        flow = [sys.executable, outcome_flow.__file__, servers, str(args.rate), str(args.seconds + WARM_SECONDS)]
        begun = time.time()
        job = subprocess.Popen([*command, "--continuous", "0 seconds"], start_new_session=True, stdout=printed)
        try:
            tree = Tree(job)
            with subprocess.Popen(flow):
                again = next_publish(ledger, before, 120) - begun
            os.killpg(job.pid, signal.SIGINT)
            job.wait(120)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
    found = ages(table, begun + WARM_SECONDS)
    half, most = np.quantile(found, [0.5, 0.99])
    print(f"{events:,} facts in the tables; first publish {again:.1f} s after the start of the run")
    print(f"{len(found):,} outcomes: age p50 {half:.1f} s, p99 {most:.1f} s, at most {found.max():.1f} s")
    memory = max(size for *_, size in tree.samples) / 2**20
    print(f"{tree.cores(begun + WARM_SECONDS):.2f} cores, at most {memory:,.0f} MiB")


def main() -> None:
    """The command line, and a broker of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=5_000, help="events a second, of both topics together")
    parser.add_argument("--before-minutes", type=int, default=10, help="of events that are there before")
    parser.add_argument("--seconds", type=int, default=120, help="that count")
    parser.add_argument("--killed", action="store_true", help="the run before was continuous, and killed")
    args = parser.parse_args()
    sys.path.append(str(ROOT))
    with broker() as load, tempfile.TemporaryDirectory(prefix="headrace-outcomes-") as folder:
        measure(args, load.servers, Path(folder))


if __name__ == "__main__":
    main()
