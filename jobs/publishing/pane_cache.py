"""Partial panes in the memory of the driver, for windows that are published again and again.

A cache: what it does not have is read from the table.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.result import Result
from jobs.facts import pane_table
from jobs.publishing import near_panes, stored_panes
from jobs.publishing.near_panes import NearPanes

MOST_BYTES = 128 * 2**20
"""Most bytes that stay in memory, with each pane once."""
_TIME = pa.timestamp("us", "UTC")


class PaneCache:
    """The partial panes from some time on, complete as long as every append is reported through `record_append`."""

    def __init__(self, path: str, result: Result) -> None:
        assert result.panes
        self._path, self._panes = path, result.panes
        self._windows = result.pane_windows
        self._late_seconds = result.lateness_rule.allowed_seconds + result.panes.every_seconds
        self._summed: pa.Table | None = None
        """Panes, each once."""
        self._appended: list[pa.Table] = []
        """Parts of panes that came since."""
        self._complete_from: datetime | None = None
        """All panes that start here or later are in the cache; None if it is empty."""

    def record_append(self, rows: pa.Table | None) -> None:
        """Take in panes that were appended to the table; None, if they are not at hand, empties the cache."""
        if rows is None:
            self._complete_from, self._summed, self._appended = None, None, []
        elif self._complete_from is not None:
            self._appended.append(rows)

    def near_panes(self, since_sequence: int) -> NearPanes | None:
        """Panes written after `since_sequence`, and all that may share a window with one; None if none was written.

        Those that are not in memory are read from the table: then the cache is filled while the columns are read.
        Raises TooMuch if they are too many for that.
        """
        known = [*([] if self._summed is None else [self._summed]), *self._appended]
        new = [part.filter(pc.field("sequence") > since_sequence)["pane_start"] for part in known]
        starts = pa.chunked_array([chunk for starts in new for chunk in starts.chunks], _TIME)
        if self._complete_from is not None and len(starts):
            first_new, last_new = (end.as_py() for end in pc.min_max(starts).values())
            first = near_panes.first_sharing(self._windows, first_new)
            if first >= self._complete_from:
                panes = _starting_from(pa.concat_tables(known), first)
                last = pc.max(panes["pane_start"]).as_py()
                return NearPanes(first, last, first_new, last_new, len(panes), partial(_pieces, panes), True)
        self.record_append(None)
        near = stored_panes.near(self._path, self._windows, since_sequence)
        return near and replace(near, read=partial(self._read, near))

    def trim(self) -> None:
        """Called when all panes are published: adds up the parts of each, and drops panes that are so old that only a
        record later than is allowed would need them again.
        """
        if self._complete_from is None or self._summed is None:
            return
        known = pa.concat_tables([self._summed, *self._appended])
        if len(known):
            self._complete_from = max(self._complete_from, self._first_kept(pc.max(known["pane_start"]).as_py()))
            known = self._sum(_starting_from(known, self._complete_from))
        self._summed, self._appended = known, []
        if known.nbytes > MOST_BYTES:
            self.record_append(None)

    def _first_kept(self, newest: datetime) -> datetime:
        """Start of the first pane that a record which is not late may need, if the newest pane starts at `newest`."""
        return near_panes.first_sharing(self._windows, newest, self._late_seconds)

    def _sum(self, known: pa.Table) -> pa.Table:
        """The parts of each pane and group as one row. `sequence` is the greatest: a pane with one new part is new.

        Panes of a time at which nothing was appended have one row already.
        """
        times = pa.chunked_array([chunk for part in self._appended for chunk in part["pane_start"].chunks], _TIME)
        has_parts = pc.is_in(known["pane_start"], value_set=times.unique())
        parts = known.filter(has_parts)
        if not len(parts):
            return known.combine_chunks()
        summed = pa.Table.from_batches(pane_table.combine(parts, self._panes, known.schema), known.schema)
        return pa.concat_tables([known.filter(pc.invert(has_parts)), summed]).combine_chunks()

    def _read(self, near: NearPanes, names: tuple[str, ...] | None) -> Iterator[pa.RecordBatch]:
        """The pieces of `near`; those with all columns fill the cache, if they are read to the end."""
        if names is not None:
            yield from near.read(names)
            return
        first, kept, size = max(self._first_kept(near.last), near.first), [], 0
        for piece in near.read(None):
            yield piece
            if size <= MOST_BYTES and len(late := _starting_from(pa.Table.from_batches([piece]), first)):
                summed = pane_table.combine(late, self._panes, late.schema)  # a pane is in one piece
                kept.append(pa.Table.from_batches(summed, late.schema))
                size += kept[-1].nbytes
        if kept and size <= MOST_BYTES:
            self._summed, self._complete_from = pa.concat_tables(kept), first


def _starting_from(panes: pa.Table, first: datetime) -> pa.Table:
    """The panes that start at `first` or later."""
    return panes.filter(pc.greater_equal(panes["pane_start"], pa.scalar(first, _TIME)))


def _pieces(panes: pa.Table, names: tuple[str, ...] | None) -> Iterator[pa.RecordBatch]:
    """Columns of panes in memory, in pieces in order of time."""
    rows = near_panes.PIECE_ROWS
    if panes.nbytes > near_panes.PIECE_BYTES:
        rows = min(rows, max(1, len(panes) * near_panes.PIECE_BYTES // panes.nbytes))
    ordered = panes.select(names or panes.column_names).sort_by("pane_start").combine_chunks()
    yield from ordered.to_batches(rows)
