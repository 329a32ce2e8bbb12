"""Facts that tasks report to the driver beside their rows, through Spark's accumulators.

Spark may run a task twice, and both report: so facts have names, and the same name twice is one fact. A name is
(partition, first offset), which also shows whether a partition was read in one piece.
"""

from typing import Any

from pyspark import Accumulator, AccumulatorParam
from pyspark.sql import SparkSession

Facts = dict[tuple[int, int], dict[str, Any]]
"""Facts by (partition, first offset)."""

FactAccumulator = Accumulator[Facts]
"""Tasks add to it; the driver calls `drain`."""


class _ByName(AccumulatorParam[Facts]):
    def zero(self, value: Facts) -> Facts:
        return {}

    def addInPlace(self, value1: Facts, value2: Facts) -> Facts:  # noqa: N802
        value1.update(value2)
        return value1


def accumulator(spark: SparkSession) -> FactAccumulator:
    """An empty accumulator, for the facts of one pass over records."""
    return spark.sparkContext.accumulator({}, _ByName())


def drain(facts: FactAccumulator) -> Facts:
    """The facts of a finished pass. Empties the accumulator, which Spark never frees."""
    collected = facts.value
    facts.value = {}
    return collected


def partitions_read_whole(facts: Facts) -> bool:
    """Whether each partition was read in one piece and in order of offset (`in_order` in each fact)."""
    partitions = {partition for partition, _ in facts}
    return len(partitions) == len(facts) and all(fact["in_order"] for fact in facts.values())
