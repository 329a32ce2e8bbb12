"""Turns the runs of a benchmark into a Markdown section.

For each number of records one table: CPU, time and memory of every contender, and headrace's CPU over its. Then
whether its results are complete and right; and what a further record costs, once the start-up is paid.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from bench_input import ARCHIVE
from bench_machine import MIB, machine
from compare import Difference
from measure import Cost

OURS, FLINK = "headrace", "flink"


@dataclass(frozen=True)
class Run:
    """One run of one contender over one log."""

    contender: str
    records: int
    batches: int
    cost: Cost
    difference: Difference
    home: str = ARCHIVE
    """Of the log, with the compression in Kafka if it is not headrace's own."""
    broker_seconds: float | None = None
    """CPU time of the broker beyond its rest; None if it was not asked."""


class Who(NamedTuple):
    """A contender and the home that it reads: a row of the tables."""

    home: str
    contender: str

    def __str__(self) -> str:
        return f"{self.contender}, {self.home}"


def runs_of(runs: list[Run], who: Who, records: int) -> list[Run]:
    """The repeats of one measurement."""
    return [run for run in runs if (run.home, run.contender, run.records) == (*who, records)]


def cpu(runs: list[Run], who: Who, records: int) -> float | None:
    """Median CPU-seconds; None if it was not measured."""
    seconds = [run.cost.cpu_seconds for run in runs_of(runs, who, records)]
    return median(seconds) if seconds else None


def table(heads: list[str], rows: Iterable[list[str]], words: int = 1) -> list[str]:
    """A Markdown table, the first columns words and the rest numbers."""
    lines = [heads, ["---"] * words + ["---:"] * (len(heads) - words), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def ranged(values: list[float], digits: int) -> str:
    """Median, and the range if there are repeats; nothing without values."""
    if not values:
        return ""
    middle = f"{median(values):,.{digits}f}"
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})" if len(values) > 1 else middle


def over(mine: float | None, other: float | None, digits: int = 2) -> str:
    """A ratio, or nothing if one of the two was not measured."""
    return f"{mine / other:.{digits}f}" if mine is not None and other else ""


COST_HEADS = [
    *("home", "contender", "CPU-s", "wall s", "peak PSS MiB"),
    *("the broker's CPU-s for it", f"CPU of {OURS} over it"),
]


def cost_row(runs: list[Run], who: Who, records: int) -> list[str]:
    """What the runs of one contender cost, beside headrace's from the same home."""
    found = runs_of(runs, who, records)
    ours = cpu(runs, Who(who.home, OURS), records) if who.contender != OURS else None
    return [
        *who,
        ranged([run.cost.cpu_seconds for run in found], 1),
        ranged([run.cost.wall_seconds for run in found], 1),
        f"{max(run.cost.peak_pss_bytes for run in found) / MIB:,.0f}",
        ranged([run.broker_seconds for run in found if run.broker_seconds is not None], 1),
        over(ours, cpu(runs, who, records)),
    ]


RESULT_HEADS = [
    *("contender", "windows missing", "wrong counts", "mean, max rel. error", "distinct rows missing"),
    *("distinct, rms error", "max error", "first-seen minutes missing", "first-seen error", "surplus rows"),
]


def result_row(who: Who, runs: list[Run]) -> list[str]:
    """What the last run of one contender published, against the exact results."""
    d = runs[-1].difference
    return [
        str(who),
        f"{d.hopping_missing:,} of {d.hopping_rows:,}",
        f"{d.hopping_wrong_counts:,}",
        f"{d.mean_error:.1e}",
        f"{d.distinct_missing:,} of {d.distinct_rows:,}",
        f"{d.distinct_error_rms:.2%}",
        f"{d.distinct_error_max:.1%}",
        f"{d.first_seen_missing:,} of {d.first_seen_rows:,}",
        f"{d.first_seen_error:.3%}",
        f"{d.hopping_surplus + d.distinct_surplus + d.first_seen_surplus:,}",
    ]


def per_record(runs: list[Run], who: Who, low: int, high: int) -> float | None:
    """CPU microseconds of each record beyond `low`; None if one of the two sizes was not measured."""
    less, more = cpu(runs, who, low), cpu(runs, who, high)
    return None if less is None or more is None else (more - less) / (high - low) * 1e6


def further(runs: list[Run], everyone: list[Who], sizes: list[int]) -> list[str]:
    """The cost of further records between neighbouring sizes, and its ratio to Flink's from the same home."""
    steps, rows, heads = list(pairwise(sizes)), [], ["home", "contender"]
    for low, high in steps:
        heads += [f"{low:,} to {high:,}", f"over {FLINK}'s"]
    for who in everyone:
        row = list(who)
        for low, high in steps:
            cost = per_record(runs, who, low, high)
            row += ["" if cost is None else f"{cost:.2f}"]
            row += [over(cost, per_record(runs, Who(who.home, FLINK), low, high)) if who.contender != FLINK else ""]
        rows.append(row)
    return table(heads, rows, words=2)


def section(runs: list[Run], cores: int, remarks: Iterable[str] = ()) -> str:
    """The whole Markdown section; `remarks`: a line for each contender that could not take part, or failed."""
    everyone = sorted(dict.fromkeys(Who(run.home, run.contender) for run in runs), key=lambda who: who.home)
    sampled = max(run.cost.cpu_ignored_seconds for run in runs)
    sizes = sorted({run.records for run in runs})
    lines = [f"## Page views, {datetime.now(UTC):%Y-%m-%d}", "", *machine()]
    lines += [f"- each contender has {cores} cores; repeats: median and range, the order turning with each repeat"]
    lines += [f"- CPU-s: whole process tree; at most {sampled:.1f} of a run from samples (Spark's Python workers)"]
    lines += [f"- {line}" for line in remarks]
    for size in sizes:
        there = [who for who in everyone if runs_of(runs, who, size)]
        batches = runs_of(runs, there[0], size)[0].batches
        lines += ["", f"### {size:,} records in about {batches} batches", ""]
        lines += table(COST_HEADS, [cost_row(runs, who, size) for who in there], words=2)
        lines += ["", "Against DuckDB's exact results:", ""]
        lines += table(RESULT_HEADS, [result_row(who, runs_of(runs, who, size)) for who in there])
    if len(sizes) > 1:
        lines += ["", "### CPU microseconds for each further record", "", *further(runs, everyone, sizes)]
    return "\n".join(lines) + "\n"
