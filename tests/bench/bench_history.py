"""What each benchmark has measured, a row a measurement, and the trend that comes of it.

Machines differ from day to day: a trend compares headrace with a peer, or with an earlier commit, of the same run of
the benchmark.
"""

import csv
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench_machine import MIB, text_of
from report import OURS, Run, table

FILE = Path(__file__).parent / "results.csv"
HEADS = ("date", "commit", "machine", "home", "contender", "records", "cpu_seconds", "peak_mib")
PEERS = ("flink", "flink-small", "plain-tuned", "headrace-before")
"""That the trend compares with, in this order."""
BEGIN, END = "<!-- the trend begins -->", "<!-- the trend ends -->"
WIDTH = 40
"""Characters of a bar for a ratio of 1."""


class Measurement(NamedTuple):
    """Medians of one contender over one log."""

    date: str
    commit: str
    machine: str
    home: str
    """Of the log: archive, kafka (compressed with zstd), or kafka-lz4, kafka-none."""
    contender: str
    records: int
    cpu_seconds: float
    """Of the whole process tree."""
    peak_mib: int
    """Proportional set size of the process tree, at most."""


def measurements(runs: Iterable[Run]) -> list[Measurement]:
    """The runs of now, a row for each home, number of records and contender."""
    commit = text_of("git", "rev-parse", "--short", "HEAD") or "none"
    machine = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release().split('-')[0]}"
    now, found = f"{datetime.now(UTC):%Y-%m-%d %H:%M}", []
    key = lambda run: (run.home, run.records, run.contender)  # noqa: E731
    for (home, records, contender), same in groupby(sorted(runs, key=key), key=key):
        costs = [run.cost for run in same]
        seconds = round(median(cost.cpu_seconds for cost in costs), 1)
        mib = round(max(cost.peak_pss_bytes for cost in costs) / MIB)
        found.append(Measurement(now, commit, machine, home, contender, records, seconds, mib))
    return found


def append(rows: Iterable[Measurement], file: Path = FILE) -> None:
    """Write the rows behind those that are there."""
    new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([HEADS, *rows] if new else rows)


def read(file: Path = FILE) -> list[Measurement]:
    """All rows, oldest first."""
    with file.open(newline="", encoding="utf-8") as stream:
        rows = [Measurement(**row) for row in csv.DictReader(stream)]  # type: ignore[arg-type]
    return [row._replace(records=int(row.records), cpu_seconds=float(row.cpu_seconds)) for row in rows]


def trend(rows: list[Measurement]) -> str:
    """A Markdown table for each home and number of records: headrace's CPU over that of its peers, as a bar too."""
    lines = ["## Trend", "", "CPU-seconds of headrace over those of a peer in the same run of the benchmark.", ""]
    place = lambda row: (row.home, row.records)  # noqa: E731
    for (home, records), same in groupby(sorted(rows, key=place), key=place):
        shown = []
        for (date, commit), group in groupby(same, key=lambda row: (row.date, row.commit)):
            seconds = {row.contender: row.cpu_seconds for row in group}
            for peer in PEERS:
                if OURS in seconds and peer in seconds:
                    ratio = seconds[OURS] / seconds[peer]
                    bar = "█" * max(1, round(ratio * WIDTH))
                    shown.append([date, commit, f"{seconds[OURS]}", peer, f"{seconds[peer]}", f"{ratio:.2f}", bar])
        if shown:
            heads = ["date", "commit", "headrace, CPU-s", "peer", "its CPU-s", "ratio", ""]
            lines += [f"{records:,} records, {home}:", "", *table(heads, shown), ""]
    return "\n".join(lines)


def draw(report: Path, file: Path = FILE) -> None:
    """Put the trend of all rows into the report, in the place of the one that is there, or after its introduction."""
    text, drawn = report.read_text(encoding="utf-8"), f"{BEGIN}\n{trend(read(file))}{END}\n"
    if BEGIN in text:
        before, rest = text.split(BEGIN, 1)
        text = before + drawn + rest.split(f"{END}\n", 1)[1]
    else:
        introduction, _, sections = text.partition("\n## ")
        text = f"{introduction}\n{drawn}\n## {sections}"
    report.write_text(text, encoding="utf-8")
