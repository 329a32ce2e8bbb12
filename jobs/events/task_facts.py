"""Facts that tasks report to the driver beside their rows, through Spark's accumulators.

Spark may run a task twice, and both report: so facts have names, and the same name twice is one fact. A name is
(partition, first offset), which also shows whether a partition was read in one piece.

Spark may also lose what a task tells: when it cannot deliver the update of an accumulator, it logs that and goes on.
So every task tells, also one that has no facts, and `is_complete` shows whether one is missing.
"""

from typing import Any

from pyspark import Accumulator, AccumulatorParam, TaskContext
from pyspark.sql import SparkSession

Facts = dict[tuple[int, int], dict[str, Any]]
"""Facts by (partition, first offset)."""

FactsByTask = dict[int, Facts]
"""Facts by the number of the task in its stage, from 0."""

FactAccumulator = Accumulator[FactsByTask]
"""Tasks `report` to it; the driver calls `drain`."""


class _ByTask(AccumulatorParam[FactsByTask]):
    def zero(self, value: FactsByTask) -> FactsByTask:
        return {}

    def addInPlace(self, value1: FactsByTask, value2: FactsByTask) -> FactsByTask:  # noqa: N802
        for task, facts in value2.items():
            value1.setdefault(task, {}).update(facts)
        return value1


def accumulator(spark: SparkSession) -> FactAccumulator:
    """An empty accumulator, for the facts of one pass over records."""
    return spark.sparkContext.accumulator({}, _ByTask())


def report(accumulator: FactAccumulator, facts: Facts) -> None:
    """Called once in a task, at its end, or once by the driver that has done without tasks: these are its facts."""
    task = TaskContext.get()
    accumulator.add({task.partitionId() if task else 0: facts})


def is_complete(accumulator: FactAccumulator, tasks: int) -> bool:
    """Whether each of so many tasks has reported; asked after the pass and before `drain`."""
    return accumulator.value.keys() >= set(range(tasks))


def total(accumulator: FactAccumulator, field: str) -> int:
    """The sum of a field over the facts of all tasks, also where two tasks have facts of one name: a transform may let
    two of them read the same records. Asked before `drain`.
    """
    return sum(fact[field] for facts in accumulator.value.values() for fact in facts.values())


def drain(accumulator: FactAccumulator) -> Facts:
    """The facts of a finished pass. Empties the accumulator, which Spark never frees."""
    facts = {name: fact for facts_of_task in accumulator.value.values() for name, fact in facts_of_task.items()}
    accumulator.value = {}
    return facts


def partitions_read_whole(facts: Facts) -> bool:
    """Whether each partition was read in one piece and in order of offset (`in_order` in each fact)."""
    partitions = {partition for partition, _ in facts}
    return len(partitions) == len(facts) and all(fact["in_order"] for fact in facts.values())
