"""How many records have true in a boolean column: `NAME_count`. Null and false do not count."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql.types import BooleanType, DataType, LongType, StructField, StructType

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn


@dataclass(frozen=True)
class Trues:
    """The number of records in which `column` is true."""

    column: str
    is_optional = False

    @property
    def _name(self) -> str:
        return f"{self.column}_count"

    def fault(self, kind: DataType) -> str | None:
        """Only booleans are true or false."""
        if isinstance(kind, BooleanType):
            return None
        remedy = f'Make it true or false in the transform: (F.col("{self.column}") > 0).alias("...")'
        return f"counts has {self.column}, which is {kind.simpleString()}: not true or false. {remedy}"

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """The number."""
        return [StructField(self._name, LongType())]

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """One for each true."""
        true = events[self.column].combine_chunks().fill_null(False).to_numpy(zero_copy_only=False)
        return {self._name: groups.combine(PaneColumn(true.astype(np.int64), np.add, 0, pa.int64()))}

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """The number."""
        return {self._name: partials.numeric_column(panes[self._name].combine_chunks(), np.add)}

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """The number."""
        return {self._name: partials.to_arrow(columns[self._name])}

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """The number."""
        return [StructField(self._name, LongType())]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """The number."""
        return {self._name: partials.to_arrow(columns[self._name])}

    def comments(self, comment: str) -> dict[str, str]:
        """Of the number."""
        return {self._name: f"Records with {self.column} true."}
