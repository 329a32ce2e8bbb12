"""What a pass over records tells the driver beside its rows, by Spark's accumulators.

Spark may run a task twice, and both tell: so facts have names, and the same name twice is one fact. A name is
(partition, first offset), which also shows whether a partition was read in one piece.
"""

from typing import Any

from pyspark import Accumulator, AccumulatorParam
from pyspark.sql import SparkSession

Facts = dict[tuple[int, int], dict[str, Any]]
"""What was told, by (partition, first offset)."""

Told = Accumulator[Facts]
"""Tasks add to it; the driver asks `heard`."""


class _ByName(AccumulatorParam[Facts]):
    def zero(self, value: Facts) -> Facts:
        return {}

    def addInPlace(self, value1: Facts, value2: Facts) -> Facts:  # noqa: N802
        value1.update(value2)
        return value1


def telling(spark: SparkSession) -> Told:
    """A place for the facts of one pass."""
    return spark.sparkContext.accumulator({}, _ByName())


def heard(told: Told) -> Facts:
    """What was told, once the pass is over. Spark keeps every accumulator for good, so it is emptied."""
    facts = told.value
    told.value = {}
    return facts


def is_whole(facts: Facts) -> bool:
    """Whether each partition was read in one piece and in order of offset (`in_order` in each fact)."""
    partitions = {partition for partition, _ in facts}
    return len(partitions) == len(facts) and all(fact["in_order"] for fact in facts.values())
