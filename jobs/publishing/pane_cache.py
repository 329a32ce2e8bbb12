"""Partial panes in the memory of the driver: those that windows need which are published again and again.

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
"""Files of this size together are read here, and no more."""
MOST_PANES = 5_000_000
"""So many partial panes are read here, and no more: that takes some eight seconds."""
AT_ONCE = 200_000
"""Partial panes that are in memory before the parts of each pane are added up."""
MOST_BYTES = 128 * 2**20
"""What is kept in memory, each pane once."""


class Recent:
    """The partial panes from some moment on: all that the table has, as long as every append is told by `add`."""

    def __init__(self, path: str, result: Result) -> None:
        assert result.panes
        self._path, self._panes = path, result.panes
        self._windows = result.windows
        self._late_seconds = durations.seconds(result.allowed_lateness) + result.panes.every_seconds
        self._known: list[pa.Table] = []
        self._since: datetime | None = None
        """All panes from here on are in `_known`; None if nothing is."""

    def add(self, rows: pa.Table | None) -> None:
        """Panes that were appended to the table; None if it is not known which."""
        if rows is None:
            self._since, self._known = None, []
        elif self._since is not None:
            self._known.append(rows)

    def near(self, since_sequence: int) -> pa.Table | None:
        """Panes in the order of time: those written after `since_sequence`, and all that share a window with one.

        None if they are too many to hold here.
        """
        first = self._first_needed(since_sequence)
        if self._since is None or (first is not None and first < self._since):
            self._read(since_sequence)
            first = self._first_needed(since_sequence)
        if self._since is None:
            return None
        return _from(pa.concat_tables(self._known), first or _NEVER).sort_by("pane_start")

    def published(self) -> None:
        """All that is known has been published: add up the parts of each pane, forget panes that have grown old."""
        if self._since is None:
            return
        known = pa.concat_tables(self._known)
        if len(known):
            newest = pc.max(known["pane_start"]).as_py()
            self._since = max(self._since, self._first_sharing(newest, self._late_seconds))
            known = self._once(_from(known, self._since))
        self._known = [known]
        if known.nbytes > MOST_BYTES:
            self.add(None)

    def _first_needed(self, since_sequence: int) -> datetime | None:
        """Start of the earliest pane that may share a window with a new one; None if no new one is known."""
        starts = [part.filter(pc.field("sequence") > since_sequence)["pane_start"] for part in self._known]
        found = [pc.min(some).as_py() for some in starts if len(some)]
        return self._first_sharing(min(found)) if found else None

    def _first_sharing(self, pane_start: datetime, earlier_seconds: int = 0) -> datetime:
        """Start of the first pane that may share a window with one that starts so much before `pane_start`."""
        second = max(int(pane_start.timestamp()) - earlier_seconds, 0)  # no pane starts before 1970
        return datetime.fromtimestamp(max(windows.first_start(self._windows, second), 0), UTC)

    def _read(self, since_sequence: int) -> None:
        """Read them from the table, if that is not too much."""
        self.add(None)
        table = DeltaTable(self._path)
        files = pa.table(table.get_add_actions(flatten=True))
        names = ("min.pane_start", "max.pane_start", "max.sequence", "num_records")
        if any(name not in files.column_names or files[name].null_count for name in names):
            return
        changed = files.filter(pc.field("max.sequence") > since_sequence)
        columns = pa.schema(table.schema().to_arrow())
        if not len(changed):
            self._known, self._since = [columns.empty_table()], _NEVER
            return
        first = self._first_sharing(pc.min(changed["min.pane_start"].cast(_TIME)).as_py())
        latest = pc.add(files["max.pane_start"].cast(_TIME), _CUT)
        needed = files.filter(pc.greater_equal(latest, pa.scalar(first, _TIME)))
        many = sum(needed["size_bytes"].to_pylist()) > MOST_FILE_BYTES
        if many or sum(needed["num_records"].to_pylist()) > MOST_PANES or first > table_queries.LAST_LITERAL:
            return
        sql = f"select * from panes where pane_start >= {sql_literal(first)}"
        known = self._added_up(QueryBuilder().register("panes", table).execute(sql), columns)
        if known is not None:
            self._known, self._since = [known], first

    def _added_up(self, batches: Iterable[Any], columns: pa.Schema) -> pa.Table | None:
        """The parts of each pane as one, as they come in; None as soon as that is too much to keep.

        Of a pane with new parts the whole is new: `sequence` is the greatest.
        """
        known, waiting = columns.empty_table(), 0
        for batch in batches:
            rows = pa.table(batch).cast(columns)
            known, waiting = pa.concat_tables([known, rows]), waiting + len(rows)
            if waiting >= AT_ONCE:
                known, waiting = self._once(known), 0
                if known.nbytes > MOST_BYTES:
                    return None
        return self._once(known)

    def _once(self, parts: pa.Table) -> pa.Table:
        """Each pane and group once."""
        if not len(parts):
            return parts
        return pa.Table.from_batches(pane_table.combine(parts, self._panes, parts.schema), parts.schema)


_TIME = pa.timestamp("us", "UTC")
_NEVER = datetime(9999, 12, 31, tzinfo=UTC)
_CUT = pa.scalar(timedelta(milliseconds=1))
"""Statistics of Spark are cut to milliseconds."""


def _from(panes: pa.Table, first: datetime) -> pa.Table:
    return panes.filter(pc.greater_equal(panes["pane_start"], pa.scalar(first, _TIME)))
