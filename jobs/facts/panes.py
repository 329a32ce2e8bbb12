"""Panes: the finest time buckets of a result, with aggregates that can be merged.

Each microbatch appends its partial panes; every window is a merge of panes, never a second pass over events.
(Li, Maier, Tufte, Papadimos, Tucker: "No pane, no gain", SIGMOD Record 34(1), 2005.)
"""

from dataclasses import dataclass

from jobs.running import durations
from jobs.running.errors import Mistake


@dataclass(frozen=True)
class Panes:
    """What is kept for each pane and group."""

    every: str
    """Length of a pane, such as "5 minutes". Panes start at multiples of it since 1970-01-01 00:00 UTC."""
    by: tuple[str, ...] = ()
    """Columns that make a group; null is a group of its own."""
    count: str = "records"
    """Name of the column that counts the records."""
    averages: tuple[str, ...] = ()
    """Numeric columns of which mean, minimum and maximum are kept. Nulls do not count."""
    uniques: tuple[str, ...] = ()
    """Columns (string, int or bigint) whose distinct values are counted, each by a HyperLogLog sketch."""
    counts: tuple[str, ...] = ()
    """Boolean columns of which the true ones are counted."""
    lg_k: int = 12
    """Base-2 logarithm of a sketch's registers, 4 to 21: one standard error is 1.04 / sqrt(2 ** lg_k), 1.6 % at 12."""

    def __post_init__(self) -> None:
        durations.seconds(self.every)
        if not 4 <= self.lg_k <= 21:
            raise Mistake(f"lg_k is {self.lg_k}; it must be from 4 to 21")
        names = [*self.by, self.count, *self.averages, *self.uniques, *self.counts]
        doubled = sorted({name for name in names if names.count(name) > 1} - set(self.uniques))
        if doubled:
            raise Mistake(f"{', '.join(doubled)}: named twice in Panes")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of an event that are looked at, besides its time."""
        return (*self.by, *self.averages, *self.uniques, *self.counts)

    @property
    def every_seconds(self) -> int:
        """Length of a pane in seconds."""
        return durations.seconds(self.every)
