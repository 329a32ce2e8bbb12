"""Panes: the finest time buckets of a result, with aggregates that can be merged.

Each microbatch appends its partial panes; every window is a merge of panes, never a second pass over events.
(Li, Maier, Tufte, Papadimos, Tucker: "No pane, no gain", SIGMOD Record 34(1), 2005.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from jobs.facts.statistics.average import Average
from jobs.facts.statistics.by_time import ByTime
from jobs.facts.statistics.count import Count
from jobs.facts.statistics.deviation import Deviation
from jobs.facts.statistics.percentiles import Percentiles, SharesByColumn, shares_by_column
from jobs.facts.statistics.statistic import Statistic
from jobs.facts.statistics.sum import Sum
from jobs.facts.statistics.trues import Trues
from jobs.facts.statistics.uniques import SketchSize, Uniques
from jobs.running import durations
from jobs.running.errors import Mistake


@dataclass(frozen=True)
class Panes:
    """What is kept for each pane and group."""

    NAME: ClassVar[str] = "Panes"
    """What a job file calls it, for messages."""
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
    sums: tuple[str, ...] = ()
    """Numeric columns that are summed up. Nulls do not count."""
    deviations: tuple[str, ...] = ()
    """Numeric columns of which the standard deviation (of a sample) is kept. Nulls do not count."""
    percentiles: Mapping[str, Sequence[float]] | SharesByColumn = ()
    """Numeric columns, each with the shares of which percentiles are kept, within 1 %: {"delay": (0.5, 0.95)}. Nulls do
    not count. It becomes a tuple of pairs."""
    firsts: tuple[str, ...] = ()
    """Columns whose first value by event time is kept, of any type that a group may have. Nulls do not count."""
    lasts: tuple[str, ...] = ()
    """Columns whose last value by event time is kept, of any type that a group may have. Nulls do not count."""

    def __post_init__(self) -> None:
        durations.seconds(self.every)
        for several in ("by", "averages", "uniques", "counts", "sums", "deviations", "firsts", "lasts"):
            _check_names(self.NAME, several, getattr(self, several))
        if not 4 <= self.lg_k <= 21:
            raise Mistake(f"lg_k is {self.lg_k}; it must be from 4 to 21")
        shares = shares_by_column(self.percentiles)
        object.__setattr__(self, "percentiles", shares)  # a dictionary could be changed later
        of_percentiles = tuple(column for column, _ in shares)
        numbers = (*self.averages, *self.sums, *self.deviations, *of_percentiles)
        names = [*self.by, self.count, *set(numbers), *self.counts]  # numbers may be averaged, and summed up too
        named_twice = {name for name in names if names.count(name) > 1}
        for field in (self.averages, self.uniques, self.sums, self.deviations, of_percentiles, self.firsts, self.lasts):
            named_twice |= {name for name in field if field.count(name) > 1}
        if named_twice:
            raise Mistake(f"{', '.join(sorted(named_twice))}: named twice in {self.NAME}")

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """What is kept, in the order of the columns of the tables."""
        return (
            Count(self.count),
            *map(Average, self.averages),
            *(Uniques(name, self.lg_k) for name in self.uniques),
            *map(Trues, self.counts),
            *map(Sum, self.sums),
            *map(Deviation, self.deviations),
            *(Percentiles(column, shares) for column, shares in shares_by_column(self.percentiles)),
            *(ByTime(name, is_last=False) for name in self.firsts),
            *(ByTime(name, is_last=True) for name in self.lasts),
            *([SketchSize(self.lg_k)] if self.uniques else []),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of an event that are read, besides its time; each once."""
        of_statistics = [statistic.column for statistic in self.statistics if statistic.column is not None]
        columns = (*self.by, *of_statistics)
        return tuple(dict.fromkeys(columns))

    @property
    def every_seconds(self) -> int:
        """Length of a pane in seconds."""
        return durations.seconds(self.every)


def _check_names(owner: str, field: str, names: object) -> None:
    """Raises Mistake if one name stands where several are wanted: Python would take each of its letters for one."""
    if isinstance(names, str):
        raise Mistake(f'{owner}({field}="{names}"): write a comma after a single name: {field}=("{names}",)')
