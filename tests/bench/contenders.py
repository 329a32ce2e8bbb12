"""Who takes part: for each contender a command line, and a function that loads what it published.

A new contender is one entry of `contenders()`. The project's own is the module headrace_job.py beside this file, with
the two functions of a Contender, `command(log, out)` and `load(out)`; it is left out when there is no such file.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import flink_job
import pandas as pd
from bench_input import ARCHIVE, KAFKA, Input
from deltalake import DeltaTable

HERE = Path(__file__).parent
NAMES = ("hopping", "distinct", "first_seen")
"""Of the three results."""


@dataclass(frozen=True)
class Results:
    """The three results; times are UTC, rows in any order."""

    hopping: pd.DataFrame
    """page, window_start, count, mean: windows of 10 minutes, one a minute, that hold at least one record."""
    distinct: pd.DataFrame
    """page, minute, estimate: distinct users."""
    first_seen: pd.DataFrame
    """minute, count: users whose first record (lowest offset) has its event time in that minute."""


@dataclass(frozen=True)
class Contender:
    """One way to compute the results."""

    name: str
    command: Callable[[Input, Path], list[str]]
    """Command line that reads the log and leaves its tables below the folder, which is there and empty."""
    load: Callable[[Path], Results]
    """Loads the three results from the folder."""
    exact: bool
    """Whether each row must be there and be right (distinct users: within the sketch's error)."""
    seconds: tuple[float, float]
    """About how long it takes on two slow cores: the start, and each million records."""
    homes: tuple[str, ...] = (ARCHIVE, KAFKA)
    """Of the log, that it can read."""
    once: bool = False
    """Whether one run is enough, however many the others get: it takes long, or is there for its results."""
    missing: str | None = None
    """Why it cannot take part on this machine, and what to do."""

    def expected(self, records: int) -> float:
        """Seconds that a run over so many records takes, about, on two slow cores."""
        start, million = self.seconds
        return start + million * records / 1e6

    def limit(self, records: int) -> float:
        """Seconds after which a run is ended: it hangs."""
        return 600 + 10 * self.expected(records)


def script(name: str, log: Input, out: Path, *more: str) -> list[str]:
    """Command line of a script beside this file."""
    common = ["--topic", log.topic, "--out", str(out), *more]
    return [sys.executable, str(HERE / name), *common]


def duckdb(log: Input, out: Path) -> list[str]:
    """Command line of the floor."""
    return script("duckdb_floor.py", log, out, "--archive", log.archive, "--cores", str(log.cores))


def numpy_pass(log: Input, out: Path) -> list[str]:
    """Command line of the floor for Python."""
    assert log.servers
    return script("numpy_pass.py", log, out, "--servers", log.servers)


def parquet(out: Path) -> Results:
    """Results in three Parquet files, or folders of them."""
    paths = (out / name if (out / name).is_dir() else out / f"{name}.parquet" for name in NAMES)
    return Results(*(pd.read_parquet(path) for path in paths))


def plain(variant: str, log: Input, out: Path) -> list[str]:
    """Command line of plain Structured Streaming."""
    servers = ["--servers", log.servers] if log.servers else []
    return script("plain_spark.py", log, out, "--archive", log.archive, "--cores", str(log.cores), *servers,
                  "--variant", variant, "--files-per-trigger", str(log.files_per_batch),
                  "--records-per-trigger", str(log.records_per_batch))  # fmt: skip


def delta(out: Path) -> Results:
    """Results in three Delta tables."""
    return Results(*(DeltaTable(out / name).to_pandas() for name in NAMES))


def contenders(before: Path | None = None) -> dict[str, Contender]:
    """Every contender by name; duckdb, the oracle, is the first. `before`: a checkout of an earlier headrace."""
    only_kafka, no_flink = (KAFKA,), flink_job.missing()
    small = partial(flink_job.command, flink_job.SMALL)
    known = [
        Contender("duckdb", duckdb, parquet, True, (0.6, 1.5), homes=(ARCHIVE,), once=True),
        Contender("plain-default", partial(plain, "default"), delta, False, (240, 125), once=True),
        Contender("plain-tuned", partial(plain, "tuned"), delta, False, (50, 60), once=True),
    ]
    if (HERE / "headrace_job.py").exists():
        job = import_module("headrace_job")
        known.append(Contender("headrace", job.command, job.load, True, (22, 18)))
        if before:
            earlier = partial(job.command, root=before)
            known.append(Contender("headrace-before", earlier, job.load, True, (22, 18)))
    known += [
        Contender("flink", partial(flink_job.command, ""), parquet, True, (40, 12), only_kafka, missing=no_flink),
        Contender("flink-small", small, parquet, True, (30, 30), only_kafka, missing=no_flink),
        Contender("numpy", numpy_pass, parquet, True, (2, 10), only_kafka),
    ]
    return {contender.name: contender for contender in known}
