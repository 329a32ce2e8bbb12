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
from jobs.facts.partials import Groups, Part
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

    def of_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, Part]:
        """Each event has its value."""
        values = events[self.column].combine_chunks()
        parts = total.of_events(self.column, events, groups, target)
        parts[f"{self.column}_min"] = groups.combined(partials.part(values, np.fmin))
        parts[f"{self.column}_max"] = groups.combined(partials.part(values, np.maximum))
        return parts

    def of_panes(self, panes: pa.Table) -> dict[str, Part]:
        """Number, sum, minimum and maximum."""
        parts = total.of_panes(self.column, panes)
        for end, combine in (("min", np.fmin), ("max", np.maximum)):
            parts[f"{self.column}_{end}"] = partials.part(panes[f"{self.column}_{end}"].combine_chunks(), combine)
        return parts

    def to_panes(self, parts: Mapping[str, Part], target: pa.Schema) -> dict[str, pa.Array]:
        """Number, sum, minimum and maximum."""
        return total.to_panes(self.column, parts, target.names) | self._ends(parts)

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """Mean, minimum and maximum."""
        ends = [StructField(name, kinds[name].dataType) for name in (f"{self.column}_min", f"{self.column}_max")]
        return [StructField(f"{self.column}_mean", DoubleType()), *ends]

    def finish(self, parts: Mapping[str, Part], length: int) -> dict[str, pa.Array]:
        """Mean, minimum and maximum."""
        none = total.is_none(self.column, parts)
        counts = np.where(none, 1, parts[f"{self.column}_count"].values)
        means = partials.means(parts[f"{self.column}_sum"], counts)
        return {f"{self.column}_mean": pa.array(means, pa.float64(), mask=none)} | self._ends(parts)

    def _ends(self, parts: Mapping[str, Part]) -> dict[str, pa.Array]:
        none = total.is_none(self.column, parts)
        return {name: partials.arrow(parts[name], none) for name in (f"{self.column}_min", f"{self.column}_max")}

    def comments(self, said: str) -> dict[str, str]:
        """Of mean, minimum and maximum."""
        words = {"mean": "Mean", "min": "Minimum", "max": "Maximum"}
        return {f"{self.column}_{which}": f"{word} of: {said}" for which, word in words.items()}
