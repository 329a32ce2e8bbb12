"""Spells: stretches of activity of a group, each event of which comes less than a gap after one before it.

Each batch appends the spells of its own events. Two events belong to one session if a chain of events joins them, in
which each is less than the gap away from the next. So spells can be merged in any order and any grouping: those of a
group that are less than the gap apart become one, and a further event joins and extends them, but never splits one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructField, StructType, TimestampType

from jobs.events import equality
from jobs.events.arrow_step import ArrowStep
from jobs.facts import chains, pane_table, partials
from jobs.facts.panes import Panes
from jobs.facts.partials import Groups, PaneColumn
from jobs.facts.statistics.statistic import Statistic
from jobs.running import durations

BLOCK_ROWS = 500_000
"""Events are added up once this many have been read, which bounds the memory of a task. Larger than a block of panes:
a group has about one spell in each block, and so many more of them if the blocks are small."""
TIMES = ("start_time", "end_time")
"""Event times of the first and the last event of a spell."""


class _SessionPanes(Panes):
    """Panes of the same groups and statistics, which know both and check them. Their length means nothing here."""

    NAME = "Sessions"


@dataclass(frozen=True)
class Spells:
    """What is kept for each spell and group."""

    by: tuple[str, ...]
    """Columns that make a group; null is a group of its own. With none all events are one group."""
    gap: str
    """Length of the silence that ends a session, such as "30 minutes": an event that comes exactly so long after the
    last one begins the next session."""
    count: str = "events"
    """Name of the column that counts the events."""
    averages: tuple[str, ...] = ()
    """This field and those below are as in Panes."""
    uniques: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    sums: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()
    lg_k: int = 12

    def __post_init__(self) -> None:
        self.as_panes()

    def as_panes(self) -> Panes:
        """Panes of the same groups and statistics. Raises Mistake if a field is wrong."""
        shared = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "gap"}
        return _SessionPanes(self.gap, **shared)

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """What is kept, in the order of the columns of the tables."""
        return self.as_panes().statistics

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of an event that are read, besides its time; each once."""
        return self.as_panes().columns

    @property
    def gap_micros(self) -> int:
        """Length of the gap in microseconds."""
        return durations.seconds(self.gap) * 1_000_000


def output(kinds: StructType, spells: Spells) -> StructType:
    """The columns of spells: the groups, TIMES, those of each statistic. `kinds`: of the events."""
    fields = [StructField(name, kinds[name].dataType) for name in spells.by]
    fields += [StructField(name, TimestampType()) for name in TIMES]
    # Statistics of one column may share a column: see statistic.py.
    by_name = {field.name: field for statistic in spells.statistics for field in statistic.pane_columns(kinds)}
    return StructType([*fields, *by_name.values()])


def partial_step(kinds: StructType, spells: Spells) -> ArrowStep:
    """The step from events of the columns `kinds` to spells, several of a session if there are many events.

    The events have `event_time` and the columns that `spells` names.
    """
    columns = output(kinds, spells)
    target = to_arrow_schema(columns, timezone="UTC")
    return ArrowStep(lambda batches: _spells_of_batches(batches, spells, target), columns)


def combine_step(kinds: StructType, spells: Spells) -> ArrowStep:
    """The step from the spells of `partial_step`, in any order, to merged ones: no two of a group are closer than the
    gap, if all spells of the group are in one task.
    """
    columns = output(kinds, spells)
    target = to_arrow_schema(columns, timezone="UTC")
    return ArrowStep(lambda batches: _merge_batches(list(batches), spells, target), columns)


def merge(table: pa.Table, spells: Spells) -> pa.Table:
    """The spells of `table`, in any order, merged: no two of a group are closer than the gap.

    In the columns of `table`: those of `output`, and perhaps `sequence`, of which the greatest is kept. The spells of a
    group stand side by side, in order of time. Sketches of different lg_k raise UnlikeSketches.
    """
    return pa.Table.from_batches(_merge(table, spells, table.schema), table.schema)


def near(stored: pa.Table, new: pa.Table, spells: Spells) -> np.ndarray:
    """For each row of `stored` whether it becomes part of a session in which there is a spell of `new`.

    Both have the columns of the groups and TIMES, in any order of rows. So the stored spells that are not near stay as
    they are, and merging the near ones with `new` gives the same sessions as merging everything. `stored` may be
    unmerged too: a spell that is joined only by way of other stored ones is near.
    """
    names = (*spells.by, *TIMES)
    both = pa.concat_tables([new.select(names), stored.select(names).cast(new.select(names).schema)])
    keys = partials.group_keys(equality.normalise_columns(both, spells.by), spells.by)
    is_new = np.arange(len(both)) < len(new)
    rows = np.flatnonzero(is_new | np.isin(keys, keys[: len(new)]))  # other groups are left out before the sort
    starts, ends = (_micros(both[name])[rows] for name in TIMES)
    sessions = chains.chain(keys[rows], starts, ends, spells.gap_micros)
    is_touched = np.zeros(len(both), bool)
    lengths = np.diff(sessions.begins, append=len(rows))
    has_new = sessions.combine(PaneColumn(is_new[rows], np.logical_or, False, pa.bool_())).values
    is_touched[rows[sessions.order]] = np.repeat(has_new, lengths)
    return is_touched[len(new) :]


def _spells_of_batches(
    batches: Iterator[pa.RecordBatch], spells: Spells, target: pa.Schema
) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= BLOCK_ROWS:
            yield from _spells(pa.Table.from_batches(waiting), spells, target)
            waiting = []
    if any(map(len, waiting)):
        yield from _spells(pa.Table.from_batches(waiting), spells, target)


def _spells(events: pa.Table, spells: Spells, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The spells of these events, merged."""
    events = equality.normalise_columns(events, spells.columns)
    times = _micros(events["event_time"])
    sessions = chains.chain(partials.group_keys(events, spells.by), times, times, spells.gap_micros)
    columns: dict[str, PaneColumn] = {}
    for statistic in spells.statistics:
        columns |= statistic.from_events(events, sessions, target)
    keys = _keys(events.select(spells.by), sessions, times, times)
    yield from pane_table.batches(keys, columns, spells.as_panes(), target)


def _merge_batches(batches: list[pa.RecordBatch], spells: Spells, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    batches = [batch for batch in batches if batch.num_rows]
    if batches:
        yield from _merge(pa.Table.from_batches(batches), spells, target)


def _merge(table: pa.Table, spells: Spells, target: pa.Schema) -> Iterator[pa.RecordBatch]:
    """As `merge`, in the columns of `target`."""
    table = equality.normalise_columns(table, spells.by)
    starts, ends = (_micros(table[name]) for name in TIMES)
    sessions = chains.chain(partials.group_keys(table, spells.by), starts, ends, spells.gap_micros)
    columns = pane_table.pane_columns(table, spells.statistics)
    if "sequence" in target.names:
        columns["sequence"] = partials.numeric_column(table["sequence"].combine_chunks(), np.maximum)
    columns = {name: sessions.combine(column) for name, column in columns.items()}
    keys = _keys(table.select(spells.by), sessions, starts, ends)
    yield from pane_table.batches(keys, columns, spells.as_panes(), target)


def _keys(groups: pa.Table, sessions: Groups, starts: np.ndarray, ends: np.ndarray) -> pa.Table:
    """The group and TIMES of each session; `groups`, `starts` and `ends` are of the rows that make them."""
    firsts = sessions.firsts
    lasts = sessions.combine(PaneColumn(ends, np.maximum, None, pa.int64())).values
    times = [pa.array(micros, pa.timestamp("us", tz="UTC")) for micros in (starts[firsts], lasts)]
    columns = {name: groups[name].take(pa.array(firsts)) for name in groups.column_names}
    return pa.table(columns | dict(zip(TIMES, times, strict=True)))


def _micros(times: pa.ChunkedArray) -> np.ndarray:
    micros: np.ndarray = times.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    return micros
