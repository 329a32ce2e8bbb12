"""Mean, minimum and maximum of a column of numbers: `NAME_mean`, `NAME_min`, `NAME_max`. Null if there is no value.

The mean is a double: of whole numbers and decimals the exact sum by the count, to the nearest double. Means of doubles
are the same within 1e-9, relative, however the events are cut.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql.types import DataType, DoubleType, StructField, StructType

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn
from jobs.facts.statistics import total


@dataclass(frozen=True)
class Average:
    """Mean, minimum and maximum of the values of `column`."""

    column: str
    is_optional = False

    def fault(self, kind: DataType) -> str | None:
        """Only of numbers."""
        return total.fault("averages", self.column, kind)

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """Number, sum, minimum and maximum of the values."""
        kind = kinds[self.column].dataType
        ends = [StructField(f"{self.column}_{end}", kind) for end in ("min", "max")]
        return [total.count_column(self.column), *total.sum_columns(self.column, kind), *ends]

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """Each event has its value."""
        values = events[self.column].combine_chunks()
        columns = total.from_events(self.column, events, groups, target)
        columns[f"{self.column}_min"] = groups.combine(partials.numeric_column(values, np.fmin))
        columns[f"{self.column}_max"] = groups.combine(partials.numeric_column(values, np.maximum))
        return columns

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """Number, sum, minimum and maximum."""
        columns = total.from_panes(self.column, panes)
        for end, combine in (("min", np.fmin), ("max", np.maximum)):
            columns[f"{self.column}_{end}"] = partials.numeric_column(
                panes[f"{self.column}_{end}"].combine_chunks(), combine
            )
        return columns

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """Number, sum, minimum and maximum."""
        return total.to_panes(self.column, columns, target.names) | self._ends(columns)

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """Mean, minimum and maximum."""
        ends = [StructField(name, kinds[name].dataType) for name in (f"{self.column}_min", f"{self.column}_max")]
        return [StructField(f"{self.column}_mean", DoubleType()), *ends]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """Mean, minimum and maximum."""
        none = total.is_none(self.column, columns)
        counts = np.where(none, 1, columns[f"{self.column}_count"].values)
        means = partials.means(columns[f"{self.column}_sum"], counts)
        return {f"{self.column}_mean": pa.array(means, pa.float64(), mask=none)} | self._ends(columns)

    def _ends(self, columns: Mapping[str, PaneColumn]) -> dict[str, pa.Array]:
        none = total.is_none(self.column, columns)
        return {name: partials.to_arrow(columns[name], none) for name in (f"{self.column}_min", f"{self.column}_max")}

    def comments(self, comment: str) -> dict[str, str]:
        """Of mean, minimum and maximum."""
        words = {"mean": "Mean", "min": "Minimum", "max": "Maximum"}
        return {f"{self.column}_{end}": f"{word} of: {comment}" for end, word in words.items()}
