"""How many distinct values a column has, by a HyperLogLog sketch. Null is no value.

`NAME_estimate` (distinct values), `NAME_standard_error` (in values, one standard deviation) and `NAME_sketch`; and once
for all such columns `lg_k`.

Sketches are in the format of Apache DataSketches, as Spark's hll_sketch_agg gives, but for the empty text: it counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import (
    BinaryType,
    DataType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
)

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn
from sketches import grouped_hyperloglog, hyperloglog


class _Union:
    """Combines sketches, as bytes; None is the sketch of nothing."""

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        pairs = np.stack([one, other], axis=1).ravel()
        return self.reduceat(pairs, np.arange(0, len(pairs), 2))

    def reduceat(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        unions: np.ndarray = values[starts]
        lengths = np.diff(starts, append=len(values))
        several = lengths > 1  # most groups have one sketch, which is their union
        inside, begins = values[np.repeat(several, lengths)], np.cumsum(lengths[several]) - lengths[several]
        unions[several] = partials.object_array(grouped_hyperloglog.merge_groups(inside.tolist(), begins))
        return unions


@dataclass(frozen=True)
class Uniques:
    """The number of distinct values of `column`, by sketches of 2 ** lg_k registers."""

    column: str
    lg_k: int
    is_optional = True

    @property
    def _sketch(self) -> str:
        return f"{self.column}_sketch"

    def fault(self, kind: DataType) -> str | None:
        """What sketches can tell apart in every engine: texts, and numbers of 32 and 64 bits."""
        if isinstance(kind, (StringType, IntegerType, LongType)):
            return None
        remedy = f'Cast it in the transform: F.col("{self.column}").cast("string")'
        return f"{self.column} is {kind.simpleString()}; uniques takes string, int and bigint. {remedy}"

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """The sketch."""
        return [StructField(self._sketch, BinaryType())]

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """A sketch of the values of each group."""
        values = events[self.column].combine_chunks().dictionary_encode()
        rows = values.indices.fill_null(-1).to_numpy()[groups.order]
        sketches = grouped_hyperloglog.sketch_groups(values.dictionary.to_pylist(), rows, groups.begins, self.lg_k)
        return {self._sketch: _sketch_column([*sketches])}

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """The sketch."""
        return {self._sketch: _sketch_column(panes[self._sketch].to_pylist())}

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """The sketch."""
        return {self._sketch: pa.array(columns[self._sketch].values, pa.binary())}

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """Estimate, standard error and sketch."""
        types = {"estimate": LongType(), "standard_error": DoubleType(), "sketch": BinaryType()}
        return [StructField(f"{self.column}_{ending}", kind) for ending, kind in types.items()]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """Estimate, standard error and sketch."""
        # The running estimate of a single stream is dropped: it depends on how the stream was cut.
        sketches, numbers = grouped_hyperloglog.sketches_and_estimates(columns[self._sketch].values.tolist())
        estimates = pa.array([int(number + 0.5) for number in numbers], pa.int64())
        return {
            f"{self.column}_estimate": estimates,
            f"{self.column}_standard_error": pc.multiply(
                estimates.cast(pa.float64()), hyperloglog.standard_error(self.lg_k)
            ),
            self._sketch: pa.array(sketches, pa.binary()),
        }

    def comments(self, comment: str) -> dict[str, str]:
        """Of estimate, standard error and sketch."""
        return {
            f"{self.column}_estimate": f"Estimated number of distinct {self.column}.",
            f"{self.column}_standard_error": "One standard error of the estimate, in values.",
            self._sketch: "HyperLogLog sketch (Apache DataSketches): merge to roll up.",
        }


def _sketch_column(sketches: list[bytes | None]) -> PaneColumn:
    return PaneColumn(partials.object_array(sketches), _Union(), None, pa.binary())


@dataclass(frozen=True)
class SketchSize:
    """The column `lg_k` of windows: a sketch can only be used by somebody who knows its size."""

    lg_k: int
    column = None
    is_optional = False

    def fault(self, kind: DataType) -> str | None:
        """It reads no column."""

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """None: it is a constant."""
        return []

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """None."""
        return {}

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """None."""
        return {}

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """None."""
        return {}

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """The size."""
        return [StructField("lg_k", IntegerType())]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """The size."""
        return {"lg_k": pa.array([self.lg_k] * length, pa.int32())}

    def comments(self, comment: str) -> dict[str, str]:
        """Of the size."""
        return {"lg_k": "Base-2 logarithm of the sketch's registers."}
