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

import pandas as pd
from bench_input import TOPIC, Input
from deltalake import DeltaTable

HERE = Path(__file__).parent


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


def script(name: str, log: Input, out: Path, *more: str) -> list[str]:
    """Command line of a script beside this file."""
    topic = log.topic if name != "duckdb_floor.py" else TOPIC
    common = ["--archive", log.archive, "--topic", topic, "--out", str(out), "--cores", str(log.cores)]
    more = ("--servers", log.servers, *more) if log.servers and name != "duckdb_floor.py" else more
    return [sys.executable, str(HERE / name), *common, *more]


def duckdb(log: Input, out: Path) -> list[str]:
    """Command line of the floor."""
    return script("duckdb_floor.py", log, out)


def parquet(out: Path) -> Results:
    """Results in three Parquet files."""
    return Results(*(pd.read_parquet(out / f"{name}.parquet") for name in ("hopping", "distinct", "first_seen")))


def plain(variant: str, log: Input, out: Path) -> list[str]:
    """Command line of plain Structured Streaming."""
    return script("plain_spark.py", log, out, "--variant", variant, "--files-per-trigger", str(log.files_per_batch),
                  "--records-per-trigger", str(log.records_per_batch))  # fmt: skip


def delta(out: Path) -> Results:
    """Results in three Delta tables."""
    return Results(*(DeltaTable(out / name).to_pandas() for name in ("hopping", "distinct", "first_seen")))


def contenders(before: Path | None = None) -> dict[str, Contender]:
    """Every contender by name; duckdb, the oracle, is the first. `before`: a checkout of an earlier headrace."""
    known = [
        Contender("duckdb", duckdb, parquet, exact=True),
        Contender("plain-default", partial(plain, "default"), delta, exact=False),
        Contender("plain-tuned", partial(plain, "tuned"), delta, exact=False),
    ]
    if (HERE / "headrace_job.py").exists():
        job = import_module("headrace_job")
        known.append(Contender("headrace", job.command, job.load, exact=True))
        if before:
            earlier = partial(job.command, root=before.resolve())
            known.append(Contender("headrace-before", earlier, job.load, exact=True))
    return {contender.name: contender for contender in known}
