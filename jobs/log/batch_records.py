"""The records of one microbatch: Spark's stream plans their offsets, and whoever decodes them reads them.

Read, decoded and added up in one process, a record costs half of what it costs by way of Spark's own source: from the
broker into rows of Java, from these to Python, and back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from jobs.log.ranges import Range, RangeReader, share
from schemas import archive

Batches = Iterator[pa.RecordBatch]

DECODED = ("partition", "offset", "timestamp", "key", "value")
"""Columns of a record that a decoder needs."""


@dataclass(frozen=True)
class BatchRecords:
    """Ranges of one topic, and who reads them."""

    spark: SparkSession
    reader: RangeReader
    ranges: list[Range]

    @property
    def offsets(self) -> int:
        """How many offsets there are: at least as many as records."""
        return sum(each.offsets for each in self.ranges)

    def here(self) -> Batches:
        """The records, read in this process: DECODED columns of schemas/archive.py, in blocks of one partition."""
        return self.reader.read(self.ranges, DECODED)

    @cached_property
    def parts(self) -> list[list[Range]]:
        """What each task reads: whole partitions, in order of offset, so that a core has about one task."""
        return share(self.ranges, self.spark.sparkContext.defaultParallelism)

    @property
    def task_count(self) -> int:
        """How many tasks `tasks` has: one where there is nothing to read."""
        return max(1, len(self.parts))

    def tasks(self) -> DataFrame:
        """A row for each of `parts`, in a task of its own, for the function `read_in_task`."""
        return self.spark.range(0, len(self.parts), 1, self.task_count)

    def read_in_task(self, names: Sequence[str] = DECODED) -> Callable[[Batches], Batches]:
        """A function for the tasks of `tasks`: it gives their records, as `here`, with the columns `names`."""
        return partial(_read_parts, self.reader, self.parts, tuple(names))

    def frame(self) -> DataFrame:
        """The records in all columns of schemas/archive.py; each partition in one task and in order of offset."""
        return self.tasks().mapInArrow(self.read_in_task(archive.COLUMNS.names), archive.COLUMNS)


def _read_parts(reader: RangeReader, parts: list[list[Range]], names: tuple[str, ...], numbers: Batches) -> Batches:
    for batch in numbers:
        for number in batch["id"].to_pylist():
            yield from reader.read(parts[number], names)
