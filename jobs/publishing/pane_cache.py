"""Partial panes in the memory of the driver, for windows that are published again and again.

A cache: what it does not have it reads from the table, and what is too much for it is left to Spark.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, QueryBuilder

from jobs.answers import windows
from jobs.answers.result import Result
from jobs.facts import pane_table
from jobs.lake import table_queries
from jobs.running import durations
from jobs.running.instants import sql_literal

MOST_FILE_BYTES = 512 * 2**20
"""Most bytes of files that are read into the cache."""
MOST_PANES = 5_000_000
"""Most partial panes that are read into the cache: so many take some eight seconds."""
AT_ONCE = 200_000
"""How many partial panes are read before the parts of each pane are added up."""
MOST_BYTES = 128 * 2**20
"""Most bytes that stay in memory, with each pane once."""
_TIME = pa.timestamp("us", "UTC")
_NEVER = datetime(9999, 12, 31, tzinfo=UTC)
_CUT = pa.scalar(timedelta(milliseconds=1))
"""Statistics of Spark are cut to milliseconds."""


class PaneCache:
    """The partial panes from some time on, complete as long as every append is reported through `record_append`."""

    def __init__(self, path: str, result: Result) -> None:
        assert result.panes
        self._path, self._panes = path, result.panes
        self._windows = result.windows
        self._late_seconds = durations.seconds(result.allowed_lateness) + result.panes.every_seconds
        self._parts: list[pa.Table] = []
        self._complete_from: datetime | None = None
        """All panes that start here or later are in the cache; None if it is empty."""

    def record_append(self, rows: pa.Table | None) -> None:
        """Take in panes that were appended to the table; None, if they are not at hand, empties the cache."""
        if rows is None:
            self._complete_from, self._parts = None, []
        elif self._complete_from is not None:
            self._parts.append(rows)

    def panes_to_publish(self, since_sequence: int) -> pa.Table | None:
        """Panes in the order of time: those written after `since_sequence`, and all that share a window with one.

        None if they are too many for the cache.
        """
        first = self._first_needed(since_sequence)
        if self._complete_from is None or (first is not None and first < self._complete_from):
            self._read(since_sequence)
            first = self._first_needed(since_sequence)
        if self._complete_from is None:
            return None
        return _starting_from(pa.concat_tables(self._parts), first or _NEVER).sort_by("pane_start")

    def trim(self) -> None:
        """Called when all panes are published: adds up the parts of each, and drops panes that are so old that only a
        record later than is allowed would need them again.
        """
        if self._complete_from is None:
            return
        known = pa.concat_tables(self._parts)
        if len(known):
            newest = pc.max(known["pane_start"]).as_py()
            self._complete_from = max(self._complete_from, self._first_sharing(newest, self._late_seconds))
            known = self._combine(_starting_from(known, self._complete_from))
        self._parts = [known]
        if known.nbytes > MOST_BYTES:
            self.record_append(None)

    def _first_needed(self, since_sequence: int) -> datetime | None:
        """Start of the earliest pane that may share a window with a new one; None if no new one is known."""
        starts = [part.filter(pc.field("sequence") > since_sequence)["pane_start"] for part in self._parts]
        earliest = [pc.min(of_part).as_py() for of_part in starts if len(of_part)]
        return self._first_sharing(min(earliest)) if earliest else None

    def _first_sharing(self, pane_start: datetime, earlier_seconds: int = 0) -> datetime:
        """Start of the first pane that may share a window with a pane `earlier_seconds` before `pane_start`."""
        second = max(int(pane_start.timestamp()) - earlier_seconds, 0)  # no pane starts before 1970
        return datetime.fromtimestamp(max(windows.first_start(self._windows, second), 0), UTC)

    def _read(self, since_sequence: int) -> None:
        """Fill the cache from the table, if that is not too much for it."""
        self.record_append(None)
        table = DeltaTable(self._path)
        files = pa.table(table.get_add_actions(flatten=True))
        names = ("min.pane_start", "max.pane_start", "max.sequence", "num_records")
        if any(name not in files.column_names or files[name].null_count for name in names):
            return
        changed = files.filter(pc.field("max.sequence") > since_sequence)
        columns = pa.schema(table.schema().to_arrow())
        if not len(changed):
            self._parts, self._complete_from = [columns.empty_table()], _NEVER
            return
        first = self._first_sharing(pc.min(changed["min.pane_start"].cast(_TIME)).as_py())
        latest = pc.add(files["max.pane_start"].cast(_TIME), _CUT)
        needed = files.filter(pc.greater_equal(latest, pa.scalar(first, _TIME)))
        too_many = sum(needed["size_bytes"].to_pylist()) > MOST_FILE_BYTES
        if too_many or sum(needed["num_records"].to_pylist()) > MOST_PANES or first > table_queries.LAST_LITERAL:
            return
        sql = f"select * from panes where pane_start >= {sql_literal(first)}"
        known = self._combine_batches(QueryBuilder().register("panes", table).execute(sql), columns)
        if known is not None:
            self._parts, self._complete_from = [known], first

    def _combine_batches(self, batches: Iterable[Any], columns: pa.Schema) -> pa.Table | None:
        """As _combine, block by block as they are read; None as soon as that is too much for the cache."""
        known, waiting = columns.empty_table(), 0
        for batch in batches:
            rows = pa.table(batch).cast(columns)
            known, waiting = pa.concat_tables([known, rows]), waiting + len(rows)
            if waiting >= AT_ONCE:
                known, waiting = self._combine(known), 0
                if known.nbytes > MOST_BYTES:
                    return None
        return self._combine(known)

    def _combine(self, parts: pa.Table) -> pa.Table:
        """The parts of each pane and group as one row. `sequence` is the greatest: a pane with one new part is new."""
        if not len(parts):
            return parts
        return pa.Table.from_batches(pane_table.combine(parts, self._panes, parts.schema), parts.schema)


def _starting_from(panes: pa.Table, first: datetime) -> pa.Table:
    """The panes that start at `first` or later."""
    return panes.filter(pc.greater_equal(panes["pane_start"], pa.scalar(first, _TIME)))
