"""Panes: the finest time buckets of a result, with aggregates that can be merged.

Each microbatch appends its partial panes; every window is a merge of panes, never a second pass over events.
(Li, Maier, Tufte, Papadimos, Tucker: "No pane, no gain", SIGMOD Record 34(1), 2005.)
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType

from jobs.transforms import durations


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
    """Columns (string, binary, int or bigint) whose distinct values are counted, each by a HyperLogLog sketch."""
    counts: tuple[str, ...] = ()
    """Boolean columns of which the true ones are counted."""
    lg_k: int = 12
    """Base-2 logarithm of a sketch's registers, 4 to 21: one standard error is 1.04 / sqrt(2 ** lg_k), 1.6 % at 12."""

    def __post_init__(self) -> None:
        durations.seconds(self.every)
        if not 4 <= self.lg_k <= 21:
            raise ValueError(f"lg_k is {self.lg_k}; it must be from 4 to 21")
        names = [*self.by, self.count, *self.averages, *self.uniques, *self.counts]
        doubled = sorted({name for name in names if names.count(name) > 1} - set(self.uniques))
        if doubled:
            raise ValueError(f"{', '.join(doubled)}: named twice in Panes")

    @property
    def every_seconds(self) -> int:
        """Length of a pane in seconds."""
        return durations.seconds(self.every)


def pane_start(event_time: Column, panes: Panes) -> Column:
    """Start of the pane that `event_time` (UTC, from 1970) falls into."""
    micros = F.unix_micros(event_time)
    return F.timestamp_micros(micros - micros % F.lit(panes.every_seconds * 1_000_000))


def collect(events: DataFrame, panes: Panes) -> DataFrame:
    """Partial panes of `events`, which have `event_time` and the columns that `panes` names.

    Columns: pane_start, the groups, the count; per average `_count`, `_sum`, `_min`, `_max`; per unique `_sketch`
    (HyperLogLog, Apache DataSketches format); per boolean `_count`. Sums of whole numbers are exact.
    """
    kinds = {field.name: field.dataType for field in events.schema}
    aggregates = [F.count(F.lit(1)).alias(panes.count)]
    for name in panes.averages:
        # 32-bit numbers sum exactly in 64 bits; 64-bit numbers could overflow there, and an overflow stops the job.
        summand = F.col(name).cast("decimal(20,0)") if isinstance(kinds[name], LongType) else F.col(name)
        aggregates += [
            F.count(name).alias(f"{name}_count"),
            F.sum(summand).alias(f"{name}_sum"),
            F.min(name).alias(f"{name}_min"),
            F.max(name).alias(f"{name}_max"),
        ]
    aggregates += [F.hll_sketch_agg(name, F.lit(panes.lg_k)).alias(f"{name}_sketch") for name in panes.uniques]
    aggregates += [F.count_if(F.col(name)).alias(f"{name}_count") for name in panes.counts]
    start = pane_start(F.col("event_time"), panes).alias("pane_start")
    return events.groupBy(start, *panes.by).agg(*aggregates)


def merge(partials: DataFrame, panes: Panes, keys: tuple[str, ...], uniques: bool = True) -> DataFrame:
    """One row per value of `keys`, merged from partial panes.

    Columns: the keys, the count; per average `_mean` (double; null if there was no value), `_min`, `_max`; per unique
    `_estimate` (distinct values), `_standard_error` (in values, one standard deviation), `_sketch`; per boolean
    `_count`; `lg_k` if there are uniques. Without `uniques` theirs are null. Sketches of unlike lg_k stop with
    HLL_UNION_DIFFERENT_LG_K.
    """
    aggregates = [F.sum(panes.count).alias(panes.count)]
    outputs: list[Column] = [*map(F.col, keys), F.col(panes.count)]
    for name in panes.averages:
        aggregates += [
            F.sum(f"{name}_count").alias(f"{name}_count"),
            F.sum(f"{name}_sum").alias(f"{name}_sum"),
            F.min(f"{name}_min").alias(f"{name}_min"),
            F.max(f"{name}_max").alias(f"{name}_max"),
        ]
        mean = F.try_divide(F.col(f"{name}_sum").cast("double"), F.col(f"{name}_count"))
        outputs += [mean.alias(f"{name}_mean"), F.col(f"{name}_min"), F.col(f"{name}_max")]
    for name in panes.uniques:
        if not uniques:
            nulls = (("estimate", "bigint"), ("standard_error", "double"), ("sketch", "binary"))
            outputs += [F.lit(None).cast(kind).alias(f"{name}_{which}") for which, kind in nulls]
            continue
        # The union of a sketch with itself drops the running estimate, which depends on the order of merging.
        union = F.hll_union_agg(f"{name}_sketch")
        aggregates.append(F.hll_union(union, union).alias(f"{name}_sketch"))
        estimate = F.hll_sketch_estimate(f"{name}_sketch")
        error = (estimate * F.lit(1.04 / 2 ** (panes.lg_k / 2))).alias(f"{name}_standard_error")
        outputs += [estimate.alias(f"{name}_estimate"), error, F.col(f"{name}_sketch")]
    for name in panes.counts:
        aggregates.append(F.sum(f"{name}_count").alias(f"{name}_count"))
        outputs.append(F.col(f"{name}_count"))
    if panes.uniques:
        outputs.append(F.lit(panes.lg_k).alias("lg_k"))
    return partials.groupBy(*keys).agg(*aggregates).select(*outputs)
