"""A row for each event, with the events of its group in the time before it: exact sliding windows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import BooleanType, LongType, StructField, StructType

from jobs.answers.event_rows import anchors, spans
from jobs.answers.event_rows.event_answer import WithoutShortcuts
from jobs.answers.event_rows.spans import Spans
from jobs.events import equality
from jobs.facts.partials import Groups, PaneColumn
from jobs.facts.statistics.average import Average
from jobs.facts.statistics.sum import Sum
from jobs.running import durations
from jobs.running.errors import Mistake

CROWDED = 10_000
"""Distinct values are counted in spans of so many events or fewer."""


@dataclass(frozen=True)
class Sliding(WithoutShortcuts):
    """A row for each event of the one topic, about the events of its group from `size` before it up to its own time.

    Both ends are included: events of one time count in each other's rows. A row is final once complete time has passed
    its event's own time.
    """

    by: tuple[str, ...]
    """Columns that make a group. An event with a null there is alone."""
    size: str
    """How far back, such as "5 minutes"."""
    count: str = "events"
    """Name of the column that counts the events."""
    averages: tuple[str, ...] = ()
    """Numeric columns of which NAME_mean, NAME_min and NAME_max are shown; as Average has them. Nulls do not count."""
    sums: tuple[str, ...] = ()
    """Numeric columns that are summed up in NAME_sum; exact, and of the types that Sum has. Nulls do not count."""
    uniques: tuple[str, ...] = ()
    """Columns of which NAME_unique counts the distinct values, exactly. Null is no value. In a span of more than
    CROWDED events it is null, and the column `crowded` true."""
    least: int = 1
    """Only rows with so many events or more."""
    name: str = ""
    """Of the answer; "": the result's own table."""
    early: bool = False
    """True: a row is shown as soon as its event is there, although earlier events may still come."""

    def __post_init__(self) -> None:
        anchors.check_names(self._owner, self.by, self.averages, self.sums, self.uniques)
        durations.seconds(self.size)
        if not isinstance(self.least, int) or self.least < 1:
            raise Mistake(f"{self._owner}: least is {self.least!r}; it must be a whole number, 1 or more")

    def named(self, name: str) -> "Sliding":
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)

    @property
    def _owner(self) -> str:
        return f"Sliding {self.name}" if self.name else "Sliding"

    @property
    def _size_micros(self) -> int:
        return durations.seconds(self.size) * anchors.MICROS

    @property
    def reach(self) -> tuple[int, int]:
        """A row depends on events up to `size` before its own, and on none after it."""
        return self._size_micros, 0

    @property
    def waits(self) -> tuple[tuple[int, int], ...]:
        """A row falls due with its own event."""
        return ((0, 0),)

    def anchor_topic(self, topics: Mapping[str, object]) -> str:
        """The one topic."""
        (topic,) = topics
        return topic

    @property
    def key(self) -> tuple[str, ...]:
        """The group and the event."""
        return (*self.by, *anchors.PLACE)

    @property
    def _statistics(self) -> tuple[Average | Sum, ...]:
        return (*map(Average, self.averages), *map(Sum, self.sums))

    @property
    def _columns_read(self) -> tuple[str, ...]:
        """The columns that are read, besides those of the event's place."""
        return tuple(dict.fromkeys((*self.by, *self.averages, *self.sums, *self.uniques)))

    def check(self, given: Mapping[str, StructType]) -> None:
        """Raises Mistake unless the columns are there, in types that can be added up or told apart."""
        columns = anchors.only_topic(self._owner, given)
        anchors.check_columns(self._owner, columns, (*anchors.PLACE, *self._columns_read))
        anchors.check_comparable(self._owner, columns, "by", self.by)
        anchors.check_comparable(self._owner, columns, "uniques", self.uniques)
        for statistic in self._statistics:
            fault = statistic.fault(columns[statistic.column].dataType)
            if fault is not None:
                raise Mistake(f"{self._owner}: {fault}")
        anchors.check_output(self._owner, self.columns(given))

    def columns(self, given: Mapping[str, StructType]) -> StructType:
        """The group, the event, the count, the statistics, `due_time` and `final`."""
        columns = anchors.only_topic(self._owner, given)
        parts = self._part_columns(columns)
        fields = [*anchors.place_columns(columns, self.by), StructField(self.count, LongType())]
        fields += [field for statistic in self._statistics for field in statistic.window_columns(parts)]
        fields += [StructField(f"{name}_unique", LongType()) for name in self.uniques]
        fields += [StructField("crowded", BooleanType())] if self.uniques else []
        return StructType([*fields, *anchors.end_columns()])

    def _part_columns(self, columns: StructType) -> StructType:
        """What is combined over a span, each once: an average and a sum share the sum."""
        fields = [field for statistic in self._statistics for field in statistic.pane_columns(columns)]
        return StructType([*{field.name: field for field in fields}.values()])

    def rows(self, given: Mapping[str, pa.Table], complete_micros: int) -> pa.Table:
        """The rows of these events; `due_time` is a microsecond after the event."""
        ((topic, events),) = given.items()
        kinds = from_arrow_schema(events.schema)
        needed = [*anchors.PLACE, *(name for name in self._columns_read if name not in anchors.PLACE)]
        events = equality.normalise_columns(events.select(needed).combine_chunks(), self._columns_read)
        order = anchors.event_order(events, self.by)
        every = Spans(
            spans.first_within(order.times, order.begins, self._size_micros),
            spans.last_of_equals(order.times, order.begins),
        )
        rows = np.flatnonzero(every.lengths >= self.least)
        taken = events.select([*dict.fromkeys((*self.by, *anchors.PLACE))]).take(pa.array(order.rows[rows]))
        arrays = {name: taken[name] for name in taken.column_names}
        arrays[self.count] = pa.array(every.lengths[rows], pa.int64())
        arrays |= self._statistic_arrays(events, order, every.take(rows), kinds)
        arrays |= self._unique_arrays(events, order, every, rows)
        return anchors.to_table(
            arrays, order.times[rows] + 1, complete_micros, self.early, self.columns({topic: kinds})
        )

    def _statistic_arrays(
        self, events: pa.Table, order: anchors.EventOrder, chosen: Spans, kinds: StructType
    ) -> dict[str, pa.Array]:
        """Mean, minimum, maximum and sum: the parts of each event, combined over the spans, as panes have them."""
        target = to_arrow_schema(self._part_columns(kinds), timezone="UTC")
        each = Groups(order.rows, np.arange(len(order.rows)))
        parts: dict[str, PaneColumn] = {}
        for statistic in self._statistics:
            parts |= statistic.from_events(events, each, target)
        totals = {name: chosen.combine(part) for name, part in parts.items()}
        arrays: dict[str, pa.Array] = {}
        for statistic in self._statistics:
            arrays |= statistic.finish(totals, len(chosen.first))
        return arrays

    def _unique_arrays(
        self, events: pa.Table, order: anchors.EventOrder, every: Spans, rows: np.ndarray
    ) -> dict[str, pa.Array]:
        """The distinct values of each span, and whether it has too many events for that."""
        if not self.uniques:
            return {}
        crowded = every.lengths[rows] > CROWDED
        arrays = {"crowded": pa.array(crowded)}
        for name in self.uniques:
            encoded = events[name].combine_chunks().dictionary_encode()
            codes = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy()[order.rows]
            counts = spans.distinct_counts(every, codes, order.begins)[rows]
            arrays[f"{name}_unique"] = pa.array(counts, pa.int64(), mask=crowded)
        return arrays
