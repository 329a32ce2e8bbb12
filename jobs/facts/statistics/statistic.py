"""What a statistic is to panes and windows. To add one: a file like its neighbours here, its field in `Panes` and its
line in `Panes.statistics`, and a test.

A statistic reads one column of the events, and may read event_time. It takes four forms, and has a method for each step
between them:

1. events -> partial panes in memory (`from_events`): `PaneColumn`s, with one value for each group of events
2. partial panes in memory <-> the table of panes (`to_panes`, `from_panes`), in the columns `pane_columns`
3. partial panes -> fewer partial panes: each `PaneColumn` says how two values are combined (`PaneColumn.combine`)
4. partial panes -> the published row of a window (`finish`), in the columns `window_columns`

The law: it must not matter how events are spread over partial panes, nor in which order these are combined. Whole
numbers and decimals are exact. Doubles may differ by rounding, and the file says by how much.

Names of columns begin with the name of the statistic's column: `delay` -> `delay_mean`. Statistics of one column may
have a pane column in common (see total.py): it is kept once. Then it must have the same name, type and meaning in each.
"""

from collections.abc import Mapping
from typing import Protocol

import pyarrow as pa
from pyspark.sql.types import DataType, StructField, StructType

from jobs.facts.partials import Groups, PaneColumn


class Statistic(Protocol):
    """One statistic of one column."""

    @property
    def column(self) -> str | None:
        """The column of the events that it reads; None if it reads none."""

    @property
    def is_optional(self) -> bool:
        """Whether a window with `uniques=False` leaves it out (null), as it is expensive to combine."""

    def fault(self, kind: DataType) -> str | None:
        """Why a column of this type cannot be taken, and what to do in the transform; None if it can."""

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """The columns of partial panes, in order. `kinds`: the columns of events."""

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """Partial panes of these events: by name, columns with one value for each of the `groups`.

        `target`: the columns of the table of panes. Negative zero and unlike NaN do not occur, see equality.py.
        """

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """The columns of partial panes, by name, from their table; null becomes `PaneColumn.nothing`."""

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """The reverse of `from_panes`: the columns of the table, by name."""

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """The columns of windows, in order. `kinds`: the columns of partial panes."""

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """The columns of windows, by name, each of `length` values. `columns`: of partial panes, combined."""

    def comments(self, comment: str) -> dict[str, str]:
        """A sentence for each column of windows. `comment`: the topic's own on the column, or the column's name."""
