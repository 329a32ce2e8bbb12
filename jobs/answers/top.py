"""The n items of each window with the largest values: a ranking of rows of windows."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import BooleanType, IntegerType, NumericType, StructField, StructType, TimestampType

from jobs.answers.event_rows import anchors
from jobs.answers.windows import KEYS, KIND
from jobs.events import equality
from jobs.facts import partials
from jobs.facts.statistics import total
from jobs.running.errors import Mistake


@dataclass(frozen=True)
class Top:
    """For each window, and each group of the columns `each`, the `n` items with the largest `by`.

    Exact, as it ranks every item of the window; a window holds a row for each, so they should be fewer than about a
    million a pane. Items of equal `by` are in order of the item, null last. NaN is larger than any number; an item
    whose `by` is null has no rank. Means and sums of doubles are the same within 1e-9 however the log is cut, so two
    that are as close may change places.
    """

    n: int
    item: str
    """The column that is ranked, one of the windows' groups."""
    by: str
    """The column of numbers that ranks them: the count, or a statistic such as delay_mean."""
    each: tuple[str, ...] = ()
    """The other columns of the windows' groups: each of these groups has a ranking of its own, null as well."""
    name: str = "top"

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or self.n < 1:
            raise Mistake(f"{self._owner}: n is {self.n!r}; it must be a whole number, 1 or more")
        for field, value in (("item", self.item), ("by", self.by)):
            if not isinstance(value, str) or not value:
                raise Mistake(f"{self._owner}: {field} is {value!r}; it must be the name of a column")
        anchors.check_names(self._owner, self.each)
        anchors.check_names(self._owner, (*self.each, self.item, self.by))

    def named(self, name: str) -> "Top":
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)

    @property
    def _owner(self) -> str:
        return f"Top {self.name}" if self.name else "Top"

    @property
    def key(self) -> tuple[str, ...]:
        """The window, `each`, and the item."""
        return (KIND, "window_start", *self.each, self.item)

    def check(self, kinds: StructType, groups: tuple[str, ...]) -> None:
        """Raises Mistake unless windows of the columns `kinds`, with a row for each of `groups`, can be ranked."""
        if {*groups} != {*self.each, self.item}:
            raise Mistake(
                f"{self._owner}: each and item are {', '.join((*self.each, self.item))}, and the windows are grouped "
                f"by {', '.join(groups) or 'nothing'}. Let both have the same columns, or an item has several rows"
            )
        missing = [name for name in (*KEYS, *self.key[2:], self.by) if name not in kinds.names]
        if missing:
            there = ", ".join(kinds.names)
            raise Mistake(f"{self._owner}: the windows have no column {', '.join(missing)}; they have {there}")
        kind = kinds[self.by].dataType
        if not isinstance(kind, NumericType):
            raise Mistake(f"{self._owner}: by is {self.by}, which is {kind.simpleString()}: no number")
        if self.by + total.BEYOND in kinds.names:
            raise Mistake(
                f"{self._owner}: by is {self.by}, which may have more than {total.MOST_DIGITS} digits and be null "
                "then. Cast the column that is summed up to a decimal of fewer digits in the transform"
            )
        anchors.check_output(self._owner, self.columns(kinds))

    def columns(self, kinds: StructType) -> StructType:
        """Of the rows, in order. `kinds`: the columns of windows."""
        fields = [StructField(name, kinds[name].dataType) for name in (*KEYS, *self.each)]
        fields.append(StructField("rank", IntegerType()))
        fields += [StructField(name, kinds[name].dataType) for name in (self.item, self.by)]
        return StructType([*fields, StructField("due_time", TimestampType()), StructField("final", BooleanType())])

    def rows(self, windows: pa.Table, complete_micros: int) -> pa.Table:
        """The ranking of these rows of windows, which hold all rows of each window and group, or none.

        `complete_micros`: events before it, in microseconds since 1970, have all come, or are late. A row is final once
        its window has ended by then.
        """
        columns = self.columns(from_arrow_schema(windows.schema))
        windows = equality.normalise_columns(windows.filter(windows[self.by].is_valid()).combine_chunks(), (self.by,))
        chosen, ranks = self._ranks(windows)
        taken = windows.select([*KEYS, *self.each, self.item, self.by]).take(pa.array(chosen))
        final = anchors.micros(taken, "window_end") <= complete_micros
        arrays = {name: taken[name] for name in taken.column_names} | {
            "rank": pa.array(ranks, pa.int32()),
            "due_time": taken["window_end"],
            "final": pa.array(final),
        }
        return anchors.in_columns(arrays, to_arrow_schema(columns, timezone="UTC"))

    def _ranks(self, windows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
        """The rows that are among the n, and the rank of each, from 1."""
        groups = partials.group_keys(windows, (KIND, "window_start", *self.each))
        order = np.lexsort((_places(windows[self.item]), -_places(windows[self.by]), groups))
        places, groups = np.arange(len(order)), groups[order]
        is_first = np.ones(len(order), bool)
        is_first[1:] = groups[1:] != groups[:-1]
        ranks = places - np.maximum.accumulate(np.where(is_first, places, 0)) + 1
        return order[ranks <= self.n], ranks[ranks <= self.n]


def _places(column: pa.ChunkedArray) -> np.ndarray:
    """The place of each value in ascending order, equal ones the same; NaN comes after the numbers, and null last."""
    places: np.ndarray = pc.rank(column.combine_chunks(), tiebreaker="dense").to_numpy().astype(np.int64)
    return places
