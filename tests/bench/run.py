"""The benchmark: runs every contender over the same logs, checks the results against DuckDB's, writes a report.

python tests/bench/run.py --n 20000 2000000 --contenders duckdb plain-tuned headrace
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import bench_history
from bench_input import ROOT, Input, into_kafka, write
from compare import Difference, check_exact, check_oracle, compare
from contenders import Contender, contenders
from measure import Cost, measure
from report import Run, section

ORACLE = "duckdb"
DEFAULT_N = (20_000, 2_000_000, 8_000_000)


def arguments() -> argparse.Namespace:
    """The command line."""
    known = list(contenders(Path()))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, nargs="+", default=DEFAULT_N, metavar="RECORDS", help="sizes of the log")
    parser.add_argument(
        "--contenders",
        nargs="+",
        default=known,
        choices=[*known, "plain"],
        metavar="NAME",
        help=f"who takes part: {', '.join(known)}; plain means both variants; {ORACLE} always does",
    )
    parser.add_argument("--repeat", type=int, default=1, help="runs of each contender over each log")
    parser.add_argument("--records-per-batch", type=int, default=500_000, help="about how long a microbatch is")
    parser.add_argument("--cores", type=int, default=2, help="threads of each contender")
    parser.add_argument("--kafka", action="store_true", help="read the log from a broker that is started for it")
    parser.add_argument("--results", type=Path, help="folder to keep: logs, tables, runs.jsonl (default: none kept)")
    parser.add_argument("--report", type=Path, help="file to append the Markdown section to (it is printed anyway)")
    parser.add_argument("--before", type=Path, help="checkout of an earlier commit: headrace-before")
    parser.add_argument("--csv", type=Path, help="file to append a row a measurement to; the report shows its trend")
    parser.add_argument("--all-runs", action="store_true", help="report the earlier runs in --results as well")
    args = parser.parse_args()
    if args.before is None:
        args.contenders = [name for name in args.contenders if name != "headrace-before"]
    return args


def run(contender: Contender, log: Input, folder: Path) -> Cost:
    """Run a contender with an empty folder of its own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    printed = folder.parent / f"{folder.name}.log"
    cost = measure(contender.command(log, folder), printed)
    if cost.exit_code != 0:
        tail = "\n".join(printed.read_text(errors="replace").splitlines()[-40:])
        raise SystemExit(f"{contender.name} ended with exit code {cost.exit_code}:\n{tail}")
    return cost


def measured(known: dict[str, Contender], log: Input, folder: Path, repeat: int, history: Path) -> list[Run]:
    """Every contender over one log, the oracle first, then repeats in turning order; each run goes to `history`."""
    names, runs = list(known), []
    for turn in range(repeat):
        order = names if turn == 0 else names[turn % len(names) :] + names[: turn % len(names)]
        for name in order:
            contender, out = known[name], folder / name
            cost = run(contender, log, out)
            found = contender.load(out)
            exact = known[ORACLE].load(folder / ORACLE)
            if name == ORACLE:
                check_oracle(exact, log.records)
            one = Run(name, log.records, log.batches, cost, compare(found, exact))
            runs.append(one)
            with history.open("a") as file:
                file.write(json.dumps(asdict(one)) + "\n")
            print(
                f"{log.records:>9,} {name:<14} {cost.cpu_seconds:8.1f} CPU-s {cost.wall_seconds:7.1f} s "
                f"{cost.peak_pss_bytes / 2**20:7.0f} MiB",
                file=sys.stderr,
            )
            if contender.exact:
                check_exact(name, one.difference)
    return runs


def stored(path: Path) -> list[Run]:
    """The runs in a runs.jsonl."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [Run(**{**row, "cost": Cost(**row["cost"]), "difference": Difference(**row["difference"])}) for row in rows]


@contextmanager
def broker(wanted: bool) -> Iterator[str | None]:
    """The address of a broker that has nothing yet, if one is wanted. It is no part of what is measured."""
    if not wanted:
        yield None
        return
    sys.path.append(str(ROOT))
    kit = import_module("tests.cluster.broker")
    with tempfile.TemporaryDirectory(prefix="headrace-broker-") as place:
        started = kit.Broker(Path(place) / "broker", **{"log.retention.check.interval.ms": "300000"}).start()
        try:
            yield started.servers
        finally:
            started.stop()


def benchmark(args: argparse.Namespace, folder: Path) -> list[Run]:
    """Measure all that was asked for."""
    asked = set(args.contenders) | {ORACLE}
    every = contenders(args.before)
    names = [name for name in every if name in asked or (name.startswith("plain-") and "plain" in asked)]
    history = folder / "runs.jsonl"
    runs = stored(history) if args.all_runs else []
    with broker(args.kafka) as servers:
        for size in sorted(args.n):
            place = folder / f"n{size}"
            log = write(place / "archive", size, args.records_per_batch, args.cores)
            log = into_kafka(log, servers) if servers else log
            runs += measured({name: every[name] for name in names}, log, place, args.repeat, history)
    return runs


def main() -> None:
    """Run the benchmark."""
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        folder = (args.results or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        runs = benchmark(args, folder)
    text = section(runs, args.cores)
    print(text)
    if args.csv:
        bench_history.append(bench_history.measurements(runs, "kafka" if args.kafka else "archive"), args.csv)
    if args.report:
        with args.report.open("a") as file:
            file.write("\n" + text)
    if args.report and args.csv:
        bench_history.draw(args.report, args.csv)


if __name__ == "__main__":
    main()
