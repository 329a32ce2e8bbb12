"""The benchmark: runs every contender over the same logs, checks the results against DuckDB's, writes a report.

python tests/bench/run.py --sizes 20000 2000000 --contenders headrace flink numpy
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import bench_history
from bench_broker import Load, broker
from bench_input import ARCHIVE, COMPRESSIONS, KAFKA, Input, into_kafka, write
from bench_plan import ORACLE, Entry, entries, minutes, turns
from compare import Difference, check_exact, check_oracle, compare
from contenders import Contender, contenders
from headrace_job import checkout
from measure import Cost, measure
from report import Run, section

DEFAULT_SIZES = (20_000, 2_000_000, 8_000_000)
LEFT_OUT = ("plain-default",)
"""Contenders that take part only when they are named: hours."""


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    known = list(contenders(Path()))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=DEFAULT_SIZES, metavar="RECORDS", help="of the log")
    parser.add_argument(
        "--contenders",
        nargs="+",
        default=[name for name in known if name not in LEFT_OUT],
        choices=[*known, "plain"],
        metavar="NAME",
        help=f"who takes part: {', '.join(known)}; plain means both variants; {ORACLE} always does",
    )
    parser.add_argument(
        "--repeat", type=int, default=2, help="runs of each contender over each log; plain and duckdb 1"
    )
    parser.add_argument("--homes", nargs="+", default=[ARCHIVE, KAFKA], choices=[ARCHIVE, KAFKA], help="of the log")
    parser.add_argument(
        "--compression", nargs="+", default=["zstd"], choices=list(COMPRESSIONS), help="in Kafka; a topic for each"
    )
    parser.add_argument("--records-per-batch", type=int, default=500_000, help="about how long a microbatch is")
    parser.add_argument("--cores", type=int, default=2, help="threads of each contender")
    parser.add_argument("--results", type=Path, help="folder to keep: logs, tables, runs.jsonl (default: none kept)")
    parser.add_argument("--report", type=Path, help="file to append the Markdown section to (it is printed anyway)")
    parser.add_argument("--before", type=checkout, help="checkout of an earlier commit: headrace-before")
    parser.add_argument("--csv", type=Path, help="file to append a row a measurement to; the report shows its trend")
    parser.add_argument("--all-runs", action="store_true", help="report the earlier runs in --results as well")
    args = parser.parse_args(given)
    if args.before is None:
        args.contenders = [name for name in args.contenders if name != "headrace-before"]
    return args


def taking_part(args: argparse.Namespace) -> tuple[list[Contender], list[str]]:
    """The contenders that were asked for, the oracle first; and a line for each that is not installed."""
    asked = set(args.contenders) | {ORACLE}
    chosen = [
        contender
        for name, contender in contenders(args.before).items()
        if name in asked or (name.startswith("plain-") and "plain" in asked)
    ]
    lines = [f"{contender.name} is left out. {contender.missing}" for contender in chosen if contender.missing]
    return [contender for contender in chosen if not contender.missing], lines


class Failed(Exception):
    """A contender did not end well: a line that says so, and the end of what it printed."""


def run(contender: Contender, log: Input, folder: Path) -> Cost:
    """Run a contender with an empty folder of its own. Raises Failed if it does not end well."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    printed = folder.parent / f"{folder.name}.log"
    cost = measure(contender.command(log, folder), printed, contender.limit(log.records))
    if cost.exit_code != 0:
        tail = "\n".join(printed.read_text(errors="replace").splitlines()[-40:])
        raise Failed(f"{folder.name}, {log.records:,} records: ended with exit code {cost.exit_code}", tail)
    return cost


def measured(
    order: Iterable[Entry], folder: Path, load: Load | None, history: Path, failures: list[str]
) -> Iterator[Run]:
    """Every entry over its log, in this order, the oracle first; each run goes to `history`.

    One that fails, or is wrong, does not stop the others: a line about it goes to `failures`. Raises Failed when the
    oracle fails.
    """
    exact = None
    for entry in order:
        contender, log, out = entry.contender, entry.log, folder / entry.name
        point = load.now() if load and log.servers else None
        try:
            cost = run(contender, log, out)
        except Failed as failed:
            if exact is None:
                raise
            failures.append(failed.args[0])
            print(*failed.args, sep="\n", file=sys.stderr)
            continue
        broker_seconds = load.since(point) if load and point else None
        found = contender.load(out)
        if exact is None:
            exact = found
            check_oracle(exact, log.records)
        one = Run(contender.name, log.records, log.batches, cost, compare(found, exact), log.home, broker_seconds)
        with history.open("a") as file:
            file.write(json.dumps(asdict(one)) + "\n")
        print(
            f"{log.records:>9,} {entry.name:<22} {cost.cpu_seconds:8.1f} CPU-s {cost.wall_seconds:7.1f} s "
            f"{cost.peak_pss_bytes / 2**20:7.0f} MiB",
            file=sys.stderr,
        )
        yield one
        if contender.exact:
            try:
                check_exact(entry.name, one.difference)
            except AssertionError as wrong:
                failures.append(str(wrong))
                print(wrong, file=sys.stderr)


def stored(path: Path) -> list[Run]:
    """The runs in a runs.jsonl."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [Run(**{**row, "cost": Cost(**row["cost"]), "difference": Difference(**row["difference"])}) for row in rows]


def benchmark(args: argparse.Namespace, known: list[Contender], folder: Path, failures: list[str]) -> list[Run]:
    """Measure all that was asked for; a line for each failure goes to `failures`."""
    history = folder / "runs.jsonl"
    runs = stored(history) if args.all_runs else []
    with ExitStack() as stack:
        load = stack.enter_context(broker()) if KAFKA in args.homes else None
        for size in sorted(args.sizes):
            place = folder / f"n{size}"
            archive = write(place / "archive", size, args.records_per_batch, args.cores)
            logs = [into_kafka(archive, load.servers, each) for each in args.compression] if load else []
            pairs = entries(known[:1], [archive])
            pairs += entries(known[1:], [archive, *logs] if ARCHIVE in args.homes else logs)
            if load:
                print(f"the broker at rest takes {load.rest():.2f} cores", file=sys.stderr)
            runs += measured(turns(pairs, args.repeat), place, load, history, failures)
    return runs


def main() -> None:
    """Run the benchmark."""
    args = arguments()
    known, left_out = taking_part(args)
    failures: list[str] = []
    kinds = [home for home in args.homes for _ in (args.compression if home == KAFKA else [ARCHIVE])]
    expected = minutes(known, kinds, args.sizes, args.repeat)
    names = ", ".join(contender.name for contender in known)
    print("\n".join([*left_out, f"{names}: about {expected:.0f} minutes on two slow cores"]), file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as temporary:
        folder = (args.results or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        runs = benchmark(args, known, folder, failures)
    text = section(runs, args.cores, [*left_out, *(f"**failed:** {line}" for line in failures)])
    print(text)
    if args.csv:
        bench_history.append(bench_history.measurements(runs), args.csv)
    if args.report:
        with args.report.open("a") as file:
            file.write("\n" + text)
    if args.report and args.csv:
        bench_history.draw(args.report, args.csv)
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
