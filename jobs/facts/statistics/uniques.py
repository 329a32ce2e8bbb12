"""How many distinct values a column has, by a HyperLogLog sketch. Null is no value.

`NAME_estimate` (distinct values), `NAME_standard_error` (in values, one standard deviation) and `NAME_sketch`; and once
for all such columns `lg_k`.

Sketches are in the format of Apache DataSketches, as Spark's hll_sketch_agg gives, but for the empty text: it counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
from sketches import hyperloglog


class _Union:
    """Combines sketches, as bytes; None is the sketch of nothing."""

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return partials.object_array([_union(pair) for pair in zip(one, other, strict=True)])

    def reduceat(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        unions: np.ndarray = values[starts]
        ends = np.append(starts[1:], len(values))
        several = np.flatnonzero(ends - starts > 1)  # most groups have one sketch, which is their union
        for group, start, end in zip(several.tolist(), starts[several].tolist(), ends[several].tolist(), strict=True):
            unions[group] = _union(values[start:end])
        return unions


def _union(sketches: Any) -> bytes | None:
    present = [sketch for sketch in sketches if sketch is not None]
    if len(present) < 2:
        return present[0] if present else None
    return hyperloglog.merge(present, thoroughly=False)


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
        values = events[self.column].take(pa.array(groups.order)).to_pylist()
        spans = zip(groups.begins.tolist(), [*groups.begins[1:].tolist(), len(values)], strict=True)
        return {
            self._sketch: _sketch_column([hyperloglog.sketch_of(values[start:end], self.lg_k) for start, end in spans])
        }

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
        # Merging drops the running estimate of a single stream, which depends on how the stream was cut.
        sketches = [hyperloglog.merge([sketch], False) for sketch in columns[self._sketch].values]
        estimates = pa.array([int(hyperloglog.estimate(sketch, False) + 0.5) for sketch in sketches], pa.int64())
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
