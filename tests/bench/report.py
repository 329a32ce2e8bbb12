"""Turns the runs of a benchmark into a Markdown section.

Compares, for each number of records, CPU, time, memory and completeness of every contender; what a further record
costs, once the start-up is paid; and each contender's CPU with every other's.
"""

import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil
from compare import Difference
from measure import Cost

MIB = 1024 * 1024


@dataclass(frozen=True)
class Run:
    """One run of one contender over one log."""

    contender: str
    records: int
    batches: int
    cost: Cost
    difference: Difference


def runs_of(runs: list[Run], contender: str, records: int) -> list[Run]:
    """The repeats of one measurement."""
    return [run for run in runs if (run.contender, run.records) == (contender, records)]


def cpu(runs: list[Run], contender: str, records: int) -> float | None:
    """Median CPU-seconds; None if it was not measured."""
    seconds = [run.cost.cpu_seconds for run in runs_of(runs, contender, records)]
    return median(seconds) if seconds else None


def table(heads: list[str], rows: Iterable[list[str]]) -> list[str]:
    """A Markdown table, the first column a word and the rest numbers."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def ranged(values: list[float], digits: int) -> str:
    """Median, and the range if there are repeats."""
    middle = f"{median(values):,.{digits}f}"
    return f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})" if len(values) > 1 else middle


def cost_row(name: str, runs: list[Run]) -> list[str]:
    """What the runs of one contender cost."""
    costs = [run.cost for run in runs]
    return [
        name,
        ranged([cost.cpu_seconds for cost in costs], 1),
        ranged([cost.wall_seconds for cost in costs], 1),
        f"{max(cost.peak_pss_bytes for cost in costs) / MIB:,.0f}",
        f"{max(cost.peak_rss_bytes for cost in costs) / MIB:,.0f}",
    ]


def result_row(name: str, runs: list[Run]) -> list[str]:
    """What the last run of one contender published, against the exact results."""
    d = runs[-1].difference
    return [
        name,
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


RESULT_HEADS = [
    *("contender", "windows missing", "wrong counts", "mean, max rel. error", "distinct rows missing"),
    *("distinct, rms error", "max error", "first-seen minutes missing", "first-seen error", "surplus rows"),
]


def further(runs: list[Run], names: list[str], sizes: list[int]) -> list[str]:
    """CPU microseconds of each record beyond a size, between neighbouring sizes."""
    steps = list(pairwise(sizes))
    rows = []
    for name in names:
        row = [name]
        for low, high in steps:
            less, more = cpu(runs, name, low), cpu(runs, name, high)
            row.append("" if less is None or more is None else f"{(more - less) / (high - low) * 1e6:.2f}")
        rows.append(row)
    return table(["contender", *(f"{low:,} to {high:,}" for low, high in steps)], rows)


def ratios(runs: list[Run], names: list[str], records: int) -> list[str]:
    """CPU-seconds of the row's contender over those of the column's."""
    seconds = {name: cpu(runs, name, records) for name in names}
    known = {name: value for name, value in seconds.items() if value}
    rows = ([name, *(f"{mine / other:.3g}" for other in known.values())] for name, mine in known.items())
    return table(["CPU of / over", *known], rows)


def text_of(*command: str) -> str:
    """What a command prints; nothing if it cannot be run."""
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return (done.stdout or done.stderr).strip()


def machine() -> list[str]:
    """What it ran on, when, and which code."""
    info = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")
    java = (text_of("java", "-version").splitlines() or ["none"])[0]
    commit = text_of("git", "rev-parse", "--short", "HEAD") or "none"
    changed = " with changes" if text_of("git", "status", "--porcelain") else ""
    return [
        f"- {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, git commit {commit}{changed}",
        f"- {os.cpu_count()} cores, {psutil.virtual_memory().total / MIB / 1024:.1f} GiB, {model}, "
        f"{platform.system()} {platform.release().split('-')[0]}",
        f"- Java: {java}; Python {platform.python_version()}",
        f"- load average when written: {os.getloadavg()[0]:.1f}",
    ]


def section(runs: list[Run], cores: int) -> str:
    """The whole Markdown section."""
    names = list(dict.fromkeys(run.contender for run in runs))
    sampled = max(run.cost.cpu_ignored_seconds for run in runs)
    sizes = sorted({run.records for run in runs})
    lines = [f"## Page views, {datetime.now(UTC):%Y-%m-%d}", "", *machine()]
    lines += [f"- each contender has {cores} cores; repeats: median and range, the order turning with each repeat"]
    lines += [f"- CPU-s: whole process tree; at most {sampled:.1f} of a run from samples (Spark's Python workers)"]
    for size in sizes:
        there = {name: runs_of(runs, name, size) for name in names if runs_of(runs, name, size)}
        batches = next(iter(there.values()))[0].batches
        lines += ["", f"### {size:,} records in about {batches} batches", ""]
        lines += table(
            ["contender", "CPU-s", "wall s", "peak PSS MiB", "peak RSS MiB"],
            [cost_row(name, found) for name, found in there.items()],
        )
        lines += ["", "Against DuckDB's exact results:", ""]
        lines += table(RESULT_HEADS, [result_row(name, found) for name, found in there.items()])
        lines += ["", *ratios(runs, names, size)]
    if len(sizes) > 1:
        lines += ["", "### CPU microseconds for each further record", "", *further(runs, names, sizes)]
    return "\n".join(lines) + "\n"
