"""How old is a record when it can be seen? 5,000 records a second into the log, the benchmark's job in continuous mode.

A record is seen in the panes (and so in windows merged on read) when the commit of its batch is in the table's Delta
log, and in the published windows when the first commit of windows is there that holds its batch: times of the log's
files, less the record's timestamp. The flow begins before it is counted, until the job is warm; afterwards the job is
killed with SIGKILL and started again, and the time to its next commit taken.

python tests/bench/freshness.py --seconds 60 --publish "2 seconds"
python tests/bench/freshness.py --home archive      records in commits of a quarter of a second; else Kafka
python tests/bench/freshness.py --before FOLDER     an earlier checkout first, then this one, and both in one table
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import numpy as np
from bench_broker import broker
from bench_input import ARCHIVE, KAFKA, PARTITIONS, ROOT, Input
from confluent_kafka.admin import AdminClient, NewTopic
from freshness_figures import Figures, ages, beside, lines
from freshness_flow import TOPIC, record_times
from freshness_job import Job, Seen, commits, wait_for, wait_for_the_end
from headrace_job import checkout

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
    parser.add_argument("--profile", type=Path, help="Spark's settings (default: the checkout's local ones)")
    parser.add_argument("--burst", type=int, default=0, help="records sent at once at the end of what counts")
    parser.add_argument("--home", choices=(ARCHIVE, KAFKA), default=KAFKA, help="of the log")
    parser.add_argument("--before", type=checkout, help="checkout of an earlier commit, to be measured first")
    return parser.parse_args()


def create_topic(servers: str | None, archive: str) -> None:
    """Without records, in Kafka or the archive."""
    if servers:
        admin = AdminClient({"bootstrap.servers": servers})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS)])[TOPIC].result()
    else:
        import_module("jobs.log.archive.writer").append_to_partitions(archive, TOPIC, PARTITIONS, [])


def run(args: argparse.Namespace, servers: str | None, out: Path, root: Path) -> Figures:
    """Measure the code of one checkout, with a log that has nothing yet."""
    create_topic(servers, str(out / "archive"))
    home = servers or str(out / "archive")
    log = Input(str(out / "archive"), TOPIC, PARTITIONS, 0, 0, 0, 2, servers)
    panes, windows = out / "tables" / f"{TABLE}_panes", out / "tables" / TABLE
    job = Job(log, out, args.publish, args.every, args.profile, root).start()
    length, counted = args.warm + args.seconds + AFTER_SECONDS, args.warm + args.seconds
    numbers = [str(number) for number in (args.rate, length, counted, args.burst)]
    flow = [sys.executable, str(Path(__file__).with_name("freshness_flow.py")), home, *numbers]
    begun = time.time()
    try:
        with subprocess.Popen(flow) as producer:
            time.sleep(max(0.0, begun + counted + 15 - time.time()))
            killed = time.time()
            job.end(signal.SIGKILL)
            before = len(commits(panes))
            job.start()
            again = wait_for(panes, before, 120) - killed
            producer.wait()
        times, first = record_times(home), begun + args.warm
        for table in (panes, windows):
            wait_for_the_end(table, times, 300)
        job.end(signal.SIGINT)
    finally:
        job.end(signal.SIGKILL)
    every, last = commits(panes), first + args.seconds
    apart = np.diff([moment for moment, _ in every if first <= moment < last])
    return Figures(
        len(apart) + 1,
        float(apart.mean()),
        float(apart.max()),
        ages(times, every, first, last),
        ages(times, commits(windows), first, last),
        again,
        max(size for _, size in job.memory),
        tuple(whether_it_grows(job, out, times, every, first, args.seconds)),
    )


def whether_it_grows(
    job: Job, out: Path, times: dict[int, np.ndarray], every: list[Seen], first: float, seconds: int
) -> list[str]:
    """The first quarter of what counts beside the last, and the files that are left."""
    found = []
    for name, start in (("first", first), ("last", first + seconds * 0.75)):
        inside = [size for moment, size in job.memory if start <= moment < start + seconds / 4]
        aged = ages(times, every, start, start + seconds / 4)
        found.append(f"{name} quarter: in the panes: {aged}; median memory {np.median(inside) / 2**20:,.0f} MiB")
    for folder in sorted([*out.glob("tables/*"), *out.glob("checkpoints/*/generation-*")]):
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        found.append(f"{folder.relative_to(out)}: {len(files):,} files, {size / 2**20:,.1f} MiB")
    return found


def main() -> None:
    """Measure this checkout, after an earlier one if it is given; print."""
    args = arguments()
    sys.path.append(str(ROOT))
    print(f"{args.rate:,} records a second into the {args.home} home, publishing every {args.publish}")
    found = []
    for root in (args.before, ROOT) if args.before else (ROOT,):
        with (
            broker() if args.home == KAFKA else nullcontext() as load,
            tempfile.TemporaryDirectory(prefix="headrace-fresh-") as place,
        ):
            found.append(run(args, load.servers if load else None, Path(place), root))
        print("\n".join([f"\n{root}", *lines(found[-1])]), flush=True)
    if args.before:
        print("\n".join(["", *beside(*found)]))


if __name__ == "__main__":
    main()
