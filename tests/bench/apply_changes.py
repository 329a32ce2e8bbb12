"""What do changes onto a table of rows cost, beside Spark's MERGE in foreachBatch, which users write today?

Both get the same topic of Kafka: first the rows of the table, which is not measured, then changes of some keys, in
random order. Then a run that finds nothing new says what a start costs.

python tests/bench/apply_changes.py --rows 1000000 --changes 100000 --keys 10000
"""

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import duckdb
import headrace_job
import numpy as np
import pyarrow as pa
import pyarrow.json
from bench_broker import broker
from bench_data import CHUNK, SCHEMA
from bench_input import PARTITIONS, ROOT
from deltalake import DeltaTable
from measure import Cost, measure

TOPIC = "customers"
MIB = 2**20
HERE = Path(__file__).parent


def batches(ids: np.ndarray, first: int) -> Iterator[pa.RecordBatch]:
    """A record for each key, which is the new row; `first`: how many records there are before."""
    for begin in range(0, len(ids), CHUNK):
        part = ids[begin : begin + CHUNK]
        numbers = first + begin + np.arange(len(part))
        values = [
            json.dumps({"id": key, "name": f"customer {key}", "credit": number % 1_000_000, "number": number}).encode()
            for key, number in zip(part.tolist(), numbers.tolist(), strict=True)
        ]
        keys = pa.array([str(key).encode() for key in part.tolist()], pa.binary())
        times = pa.array(np.full(len(part), time.time_ns() // 1_000)).cast(SCHEMA.field("timestamp").type)
        yield pa.record_batch([keys, pa.array(values, pa.binary()), times], schema=SCHEMA)


def commands(servers: str, out: Path) -> dict[str, list[str]]:
    """The command line of each contender."""
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    spark = ["env", f"PYTHONPATH={path}", sys.executable, str(HERE / "apply_spark.py"), "--servers", servers]
    (out / "headrace").mkdir()
    job = headrace_job.submission(HERE / "apply_job.py", out / "headrace", archive=f"{out}/archive", servers=servers)
    return {"headrace": job, "spark": [*spark, "--out", f"{out}/spark"]}


def run(command: list[str], out: Path) -> Cost:
    """What a command cost. Ends the process if it fails."""
    cost = measure(command, out / "printed.log")
    if cost.exit_code:
        raise SystemExit(f"{command} failed:\n{(out / 'printed.log').read_text()[-3000:]}")
    return cost


def wrong_rows(path: Path, records: list[pa.RecordBatch]) -> int:
    """How many rows of the table are not the last record of their key, or missing."""
    values = [value for batch in records for value in batch["value"].to_pylist()]
    told = pyarrow.json.read_json(io.BytesIO(b"\n".join(values)))
    found = DeltaTable(path).to_pyarrow_table(columns=["id", "name", "credit", "number"])
    connection = duckdb.connect()
    connection.register("told", told)
    connection.register("found", found)
    last = "(select * from told qualify row_number() over (partition by id order by number desc) = 1)"
    sql = f"select count(*) from ((from {last} except from found) union all (from found except from {last}))"
    [(count,)] = connection.sql(sql).fetchall()
    return int(count)


def main() -> None:
    """Load, change, and print what the changes cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=10_000, help="that are changed")
    args = parser.parse_args()
    sys.path.append(str(ROOT))
    access, producer = import_module("jobs.running.kafka_access"), import_module("jobs.log.kafka.producer")
    dice = np.random.default_rng(20260105)
    changed = dice.choice(dice.choice(args.rows, args.keys, replace=False), args.changes)
    rows = list(batches(np.arange(args.rows), 0))
    changes = list(batches(changed, args.rows))
    with broker() as load, tempfile.TemporaryDirectory(prefix="headrace-apply-") as folder:
        out = Path(folder)
        contenders = commands(load.servers, out)
        producer.append(access.Kafka(servers=load.servers), TOPIC, PARTITIONS, rows)
        for command in contenders.values():
            run(command, out)
        producer.append(access.Kafka(servers=load.servers), TOPIC, PARTITIONS, changes)
        tables = {"headrace": out / "headrace" / "tables" / "customer_v1", "spark": out / "spark" / "table"}
        for name, command in contenders.items():
            cost, start = run(command, out), run(command, out)
            print(
                f"{name}: {cost.cpu_seconds:.1f} CPU-s, of which a start is {start.cpu_seconds:.1f}; "
                f"{cost.wall_seconds:.1f} s, {cost.peak_pss_bytes / MIB:,.0f} MiB; "
                f"{wrong_rows(tables[name], [*rows, *changes]):,} rows wrong",
                flush=True,
            )


if __name__ == "__main__":
    main()
