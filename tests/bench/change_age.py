"""How old is a change of a row in PostgreSQL when it can be read in the table of latest rows? 1,000 changes a second.

A real PostgreSQL, Debezium and Kafka, and a continuous run. Each change writes down when it is made. The table is read
again and again: the age of a change is the time at which a reader has it, less the time at which it was made. At the
end the table is compared with PostgreSQL's own rows. A change that another of the same row overtakes before a reader
sees it has no age.

python tests/bench/change_age.py --rate 1000 --accounts 100000 --seconds 60
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import change_load
import headrace_job
import numpy as np
import pyarrow as pa
from bench_input import ROOT
from deltalake import DeltaTable
from outcome_age import Tree

JOB = Path(__file__).with_name("change_job.py")
LOOK_SECONDS = 0.5
WARM_SECONDS = 20
"""The first changes wait for the start of the run and for its first publish of the snapshot; they do not count."""


def rows(table: Path) -> pa.Table:
    """The latest rows as they are now."""
    return DeltaTable(table).to_pyarrow_table(columns=["id", "balance", "changed"])


def is_equal(table: Path, postgres: Any) -> bool:
    """Whether the table has the accounts of the database, which nobody changes now."""
    if not table.exists():
        return False
    found = rows(table).select(["id", "balance"]).to_pylist()
    told = postgres.rows("SELECT id, balance FROM accounts")
    return sorted((row["id"], row["balance"]) for row in found) == sorted(told)


def look(table: Path, seen: dict[int, float], first: float) -> None:
    """Take in the ages, in seconds, of the changes since `first` that are seen for the first time, by their time."""
    made = rows(table)["changed"].cast(pa.int64()).to_numpy()
    now = time.time()
    for micros in made[made >= first * 1e6].tolist():
        seen.setdefault(micros, now - micros / 1e6)


def wait_until_equal(table: Path, postgres: Any, seconds: float) -> float:
    """How long it takes until the table is that of the database. Ends the process if it takes longer than `seconds`."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if is_equal(table, postgres):
            return time.monotonic() - begun
        time.sleep(LOOK_SECONDS)
    raise SystemExit("the table did not become that of the database")


def measure(args: argparse.Namespace, started: Any, postgres: Any, out: Path) -> None:
    """Follow the load, and print what came."""
    connector = import_module("tests.cluster.debezium").Connector
    postgres.execute(change_load.CREATE, change_load.FILL.format(args.accounts))
    postgres.publish("load", "accounts")
    capture = connector(out / "capture", started, postgres, "load", "public.accounts").start()
    command = headrace_job.submission(JOB, out, archive=f"{out}/archive", servers=started.servers)
    table = out / "tables" / "account_v1"
    seen: dict[int, float] = {}
    with (out / "job.log").open("wb") as printed:
        job = subprocess.Popen(
            [*command, "--continuous", "0 seconds"], start_new_session=True, stdout=printed, stderr=printed
        )
    try:
        tree = Tree(job)
        wait_until_equal(table, postgres, 300)
        seconds = args.seconds + WARM_SECONDS
        load = [sys.executable, change_load.__file__, *map(str, (postgres.port, args.accounts, args.rate, seconds))]
        environment = os.environ | {"PGPASSWORD": import_module("tests.cluster.postgres").OWNER_PASSWORD}
        begun = time.time()
        with subprocess.Popen(load, env=environment, stdout=subprocess.PIPE) as flow:
            while flow.poll() is None:
                look(table, seen, begun + WARM_SECONDS)
                time.sleep(LOOK_SECONDS)
            assert flow.stdout and flow.returncode == 0
            made = int(flow.stdout.read())
        cores = tree.cores(begun + WARM_SECONDS)
        behind = wait_until_equal(table, postgres, 120)
        look(table, seen, begun + WARM_SECONDS)
        os.killpg(job.pid, signal.SIGINT)
        job.wait(120)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        capture.stop()
    found = np.array(list(seen.values()))
    half, most = np.quantile(found, [0.5, 0.99])
    memory = max(size for *_, size in tree.samples) / 2**20
    print(f"{made:,} changes of {args.accounts:,} rows, {made / seconds:,.0f} a second")
    print(f"{len(found):,} changes seen: age p50 {half:.1f} s, p99 {most:.1f} s, at most {found.max():.1f} s")
    print(f"equal to PostgreSQL's rows {behind:.1f} s after the last change")
    print(f"{cores:.2f} cores, at most {memory:,.0f} MiB")


def main() -> None:
    """The command line, and servers of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1_000, help="changes a second")
    parser.add_argument("--accounts", type=int, default=100_000, help="rows of the table")
    parser.add_argument("--seconds", type=int, default=60, help="that count")
    args = parser.parse_args()
    sys.path.append(str(ROOT))
    kit = import_module("tests.cluster.broker")
    postgres = import_module("tests.cluster.postgres").Postgres()
    try:
        postgres.start()
        with tempfile.TemporaryDirectory(prefix="headrace-changes-") as folder:
            started = kit.Broker(Path(folder) / "broker").start()
            try:
                measure(args, started, postgres, Path(folder))
            finally:
                started.stop()
    finally:
        postgres.stop()
        postgres.delete()


if __name__ == "__main__":
    main()
