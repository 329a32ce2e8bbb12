"""The sum of a column of numbers: `NAME_sum`, as SQL has it. Null if there is no value.

Of whole numbers and decimals it is exact: a bigint for tinyint, smallint and int, a decimal(30,0) for bigint, and for a
decimal one of ten digits more, but at most 38. A sum of more than 38 digits is neither cut nor an error: `NAME_sum` is
null there, and `NAME_sum_beyond`, a column beside it, has its digits as text (and is null elsewhere). That column is
there for decimals of more than 28 digits alone, as no other sums come so far.

Sums of doubles are the same within 1e-9 of the sum of their absolute values, however the events are cut, and infinite
beyond 1.8e308.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql.types import DataType, StructField, StructType

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn
from jobs.facts.statistics import total


@dataclass(frozen=True)
class Sum:
    """The sum of the values of `column`."""

    column: str
    is_optional = False

    @property
    def _names(self) -> tuple[str, str]:
        return f"{self.column}_sum", f"{self.column}_sum{total.BEYOND}"

    def fault(self, kind: DataType) -> str | None:
        """Only of numbers."""
        return total.fault("sums", self.column, kind)

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """Number and sum of the values."""
        return [total.count_column(self.column), *total.sum_columns(self.column, kinds[self.column].dataType)]

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """Each event has its value."""
        return total.from_events(self.column, events, groups, target)

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """Number and sum."""
        return total.from_panes(self.column, panes)

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """Number and sum."""
        return total.to_panes(self.column, columns, target.names)

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """The sum, and the text for one of more than 38 digits if there may be one."""
        return [kinds[name] for name in self._names if name in kinds.names]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """The sum, and the text for one of more than 38 digits."""
        sums, beyond = self._names
        arrays = {sums: partials.to_arrow(columns[sums], total.is_none(self.column, columns))}
        if pa.types.is_decimal(columns[sums].kind):
            arrays[beyond] = partials.beyond_texts(columns[sums])
        return arrays

    def comments(self, comment: str) -> dict[str, str]:
        """Of the sum, and of the text."""
        sums, beyond = self._names
        return {sums: f"Sum of: {comment}", beyond: f"{sums} where that has more than 38 digits, and so is null."}
