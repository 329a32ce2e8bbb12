"""What a pass over records tells the driver beside its rows, by Spark's accumulators.

Spark may run a task twice, and both tell: so facts have names, and the same name twice is one fact. A name is
(partition, first offset), which also shows whether a partition was read in one piece.

Spark may also lose what a task tells: when it cannot deliver the update of an accumulator, it logs that and goes on.
So every task tells, also one that has no facts, and `is_complete` shows whether one is missing.
"""

from typing import Any

from pyspark import Accumulator, AccumulatorParam, TaskContext
from pyspark.sql import SparkSession

Facts = dict[tuple[int, int], dict[str, Any]]
"""What was told, by (partition, first offset)."""

FactsByTask = dict[int, Facts]
"""By the number of the task in its stage, from 0."""

Told = Accumulator[FactsByTask]
"""Tasks `report` to it; the driver asks `heard`."""


class _ByTask(AccumulatorParam[FactsByTask]):
    def zero(self, value: FactsByTask) -> FactsByTask:
        return {}

    def addInPlace(self, value1: FactsByTask, value2: FactsByTask) -> FactsByTask:  # noqa: N802
        for task, facts in value2.items():
            value1.setdefault(task, {}).update(facts)
        return value1


def telling(spark: SparkSession) -> Told:
    """A place for the facts of one pass."""
    return spark.sparkContext.accumulator({}, _ByTask())


def report(told: Told, facts: Facts) -> None:
    """Called in a task, at its end: these are its facts."""
    task = TaskContext.get()
    assert task
    told.add({task.partitionId(): facts})


def is_complete(told: Told, tasks: int) -> bool:
    """Whether each of so many tasks has told; asked once the pass is over, before `heard`."""
    return told.value.keys() >= set(range(tasks))


def total(told: Told, field: str) -> int:
    """The sum of a field over the facts of all tasks, also where two tasks have facts of one name: a transform may let
    two of them read the same records. Asked before `heard`.
    """
    return sum(fact[field] for facts in told.value.values() for fact in facts.values())


def heard(told: Told) -> Facts:
    """The facts of a finished pass. Empties the accumulator, which Spark never frees."""
    facts = {name: fact for told_by_task in told.value.values() for name, fact in told_by_task.items()}
    told.value = {}
    return facts


def is_whole(facts: Facts) -> bool:
    """Whether each partition was read in one piece and in order of offset (`in_order` in each fact)."""
    partitions = {partition for partition, _ in facts}
    return len(partitions) == len(facts) and all(fact["in_order"] for fact in facts.values())
