"""How old records were when they could be seen: the figures of one run, and those of two beside each other."""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from bench_machine import MIB
from freshness_job import Seen
from report import over, table


class Ages(NamedTuple):
    """Of some records, in seconds."""

    p50: float
    p99: float
    most: float
    records: int

    def __str__(self) -> str:
        return f"p50 {self.p50:.2f} s, p99 {self.p99:.2f} s, most {self.most:.2f} s, of {self.records:,} records"


@dataclass(frozen=True)
class Figures:
    """Of one run."""

    batches: int
    apart_mean: float
    """Seconds between two commits of panes."""
    apart_most: float
    panes: Ages
    windows: Ages
    restart: float
    """Seconds from kill -9 to the next commit."""
    memory: int
    """Bytes, at most."""
    more: tuple[str, ...]
    """Lines about whether it grows."""


def ages(times: dict[int, np.ndarray], seen: list[Seen], first: float, last: float) -> Ages:
    """From its timestamp until it could be seen, of each record with a timestamp in [first, last).

    `times`: by partition the timestamps by offset, in seconds.
    """
    found = []
    for part, stamps in times.items():
        ends = np.array([end.get(part, 0) for _, end in seen])
        moments = np.array([moment for moment, _ in seen])
        which = np.searchsorted(np.maximum.accumulate(ends), np.arange(len(stamps)), side="right")
        counted = (stamps >= first) & (stamps < last)
        assert (which[counted] < len(seen)).all(), "a record was never seen"
        found.append(moments[which[counted]] - stamps[counted])
    seconds = np.concatenate(found)
    p50, p99 = np.percentile(seconds, [50, 99])
    return Ages(float(p50), float(p99), float(seconds.max()), len(seconds))


def lines(figures: Figures) -> list[str]:
    """Of one run, for people."""
    return [
        f"{figures.batches} batches, {figures.apart_mean:.2f} s apart on average, {figures.apart_most:.2f} s at most",
        f"in the panes: {figures.panes}",
        f"in the windows: {figures.windows}",
        f"from kill -9 to the next commit: {figures.restart:.1f} s",
        f"peak memory of the job: {figures.memory / MIB:,.0f} MiB",
        *figures.more,
    ]


def beside(before: Figures, now: Figures) -> list[str]:
    """A Markdown table of an earlier checkout and this one."""
    ratio = partial(over, digits=2)
    rows = [
        ("in the panes, p50, s", before.panes.p50, now.panes.p50, 2),
        ("in the panes, p99, s", before.panes.p99, now.panes.p99, 2),
        ("in the windows, p50, s", before.windows.p50, now.windows.p50, 2),
        ("in the windows, p99, s", before.windows.p99, now.windows.p99, 2),
        ("from kill -9 to the next commit, s", before.restart, now.restart, 1),
        ("between two batches, s", before.apart_mean, now.apart_mean, 2),
        ("peak memory, MiB", before.memory / MIB, now.memory / MIB, 0),
    ]
    shown = ([name, f"{old:,.{digits}f}", f"{new:,.{digits}f}", ratio(new, old)] for name, old, new, digits in rows)
    return table(["", "before", "now", "now over before"], shown)
