"""Sessions: a row for each stretch of activity of a group that a silence of `gap` ends.

A session follows from the spells that are stored, so late events join sessions and extend them as those in time do.
One that joins two makes a row of both; one before the first event gives its row another `session_start`, and so
another key. No event splits a session.
"""

from dataclasses import dataclass, fields, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import BooleanType, StructField, StructType, TimestampType

from jobs.facts import pane_table
from jobs.facts.spells import Spells


@dataclass(frozen=True)
class Sessions:
    """The sessions of each group."""

    by: tuple[str, ...]
    """Columns that make a group; null is a group of its own. With none all events are one group."""
    gap: str
    """Length of the silence that ends a session, such as "30 minutes": an event that comes exactly so long after the
    last one begins the next session."""
    count: str = "events"
    """Name of the column that counts the events of a session."""
    averages: tuple[str, ...] = ()
    """Numeric columns of which mean, minimum and maximum are kept. Nulls do not count."""
    uniques: tuple[str, ...] = ()
    """Columns (string, int or bigint) whose distinct values are counted, each by a HyperLogLog sketch."""
    counts: tuple[str, ...] = ()
    """Boolean columns of which the true ones are counted."""
    sums: tuple[str, ...] = ()
    """Numeric columns that are summed up. Nulls do not count."""
    deviations: tuple[str, ...] = ()
    """Numeric columns of which the standard deviation (of a sample) is kept. Nulls do not count."""
    lg_k: int = 12
    """Base-2 logarithm of a sketch's registers, 4 to 21: one standard error is 1.04 / sqrt(2 ** lg_k), 1.6 % at 12."""
    name: str = ""
    """Follows the result's name in the name of the table; empty: the table has the result's own name."""

    def __post_init__(self) -> None:
        self._facts()

    def named(self, name: str) -> "Sessions":
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)

    @property
    def spells(self) -> Spells:
        """What each batch keeps for these sessions."""
        return self._facts()

    def _facts(self) -> Spells:
        """Raises Mistake if a field is wrong."""
        return Spells(**{field.name: getattr(self, field.name) for field in fields(Spells)})

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell a row from another."""
        return (*self.by, "session_start")

    def columns(self, kinds: StructType) -> StructType:
        """The columns of the rows. `kinds`: of spells, as `spells.output` gives them."""
        fields = [StructField(name, kinds[name].dataType) for name in self.by]
        fields += [StructField(name, TimestampType()) for name in ("session_start", "session_end")]
        fields += [field for statistic in self.spells.statistics for field in statistic.window_columns(kinds)]
        return StructType([*fields, StructField("due_time", TimestampType()), StructField("final", BooleanType())])

    def rows(self, spells: pa.Table, complete_micros: int) -> pa.Table:
        """A row for each of these spells, in the same order; they are merged (`spells.merge`).

        `session_end` is the time of the last event. From `due_time` on, a gap later, an event is no longer one of this
        session, so the row is `final` once every further event that is not late has an event time of at least
        `complete_micros` (since 1970 UTC), and that is due_time or later.
        """
        target = to_arrow_schema(self.columns(from_arrow_schema(spells.schema)), timezone="UTC")
        due = pc.add(spells["end_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()), self.spells.gap_micros)
        arrays = {name: spells[name] for name in self.by}
        arrays |= {"session_start": spells["start_time"], "session_end": spells["end_time"], "due_time": due}
        arrays["final"] = pc.less_equal(due, complete_micros)
        columns = pane_table.pane_columns(spells, self.spells.statistics)
        for statistic in self.spells.statistics:
            arrays |= statistic.finish(columns, len(spells))
        return pa.Table.from_arrays([arrays[field.name].cast(field.type) for field in target], schema=target)
