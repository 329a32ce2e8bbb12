"""A step over Arrow batches, with its output columns: steps that are chained share one trip to Python and back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from jobs.running.late_pandas import import_pandas_late

Batches = Iterator[pa.RecordBatch]


def identity(columns: StructType) -> "ArrowStep":
    """The step that hands on batches of these columns as they are."""
    return ArrowStep(lambda batches: batches, columns)


@dataclass(frozen=True)
class ArrowStep:
    """A function of the batches of a task."""

    process: Callable[[Batches], Batches]
    output: StructType

    def then(self, other: "ArrowStep") -> "ArrowStep":
        """Both, this one first."""
        first, second = self.process, other.process
        return ArrowStep(lambda batches: second(first(batches)), other.output)

    def select(self, names: list[str]) -> "ArrowStep":
        """This step, and of its columns only these."""
        process = self.process
        return ArrowStep(
            lambda batches: (batch.select(names) for batch in process(batches)),
            StructType([self.output[name] for name in names]),
        )

    def table(self, batches: Batches) -> pa.Table:
        """The output of the step over batches of this process."""
        columns = to_arrow_schema(self.output, timezone="UTC")
        return pa.Table.from_batches([batch.cast(columns) for batch in self.process(batches)], columns)

    def over(self, frame: DataFrame) -> DataFrame:
        """The output of the step over every task of `frame`."""
        process = self.process

        def process_without_pandas(batches: Batches) -> Batches:
            import_pandas_late()
            yield from process(batches)
            pa.default_memory_pool().release_unused()  # the worker waits for its next task, perhaps for long

        return frame.mapInArrow(process_without_pandas, self.output)
