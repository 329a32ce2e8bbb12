"""How many records a pane or a window holds. Always kept: by it a publish sees which windows have changed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql.types import DataType, LongType, StructField, StructType

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn


@dataclass(frozen=True)
class Count:
    """The number of records, in the column `name`."""

    name: str
    column = None
    is_optional = False

    def fault(self, kind: DataType) -> str | None:
        """It reads no column."""

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """The number."""
        return [StructField(self.name, LongType())]

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """Each event counts."""
        return {self.name: groups.combine(PaneColumn(np.ones(len(events), np.int64), np.add, 0, pa.int64()))}

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """The number."""
        return {self.name: partials.numeric_column(panes[self.name].combine_chunks(), np.add)}

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """The number."""
        return {self.name: partials.to_arrow(columns[self.name])}

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """The number."""
        return [StructField(self.name, LongType())]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """The number."""
        return {self.name: partials.to_arrow(columns[self.name])}

    def comments(self, comment: str) -> dict[str, str]:
        """Of the number."""
        return {self.name: "Records in the window."}
