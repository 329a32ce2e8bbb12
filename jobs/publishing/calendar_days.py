"""Weeks, months and years are merged from their days: a table has the parts of each day of a zone, by group. A publish
merges anew the days that have a new pane, out of their panes, and then the longer windows out of days.

So it reads, and holds in memory, no more panes than those of a day, however long the windows are. The days are a cache:
a zone that has none there gets all of them from the panes.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.answers.windows import days
from jobs.facts import pane_table
from jobs.facts.panes import Panes
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import stored_panes
from jobs.publishing.near_panes import NearPanes, Source
from jobs.running.places import Places
from schemas.calendar_days import ZONE

TARGET_FILE_BYTES = 4 * 2**20
"""To merge a day anew its whole file is written again. So files are small."""
MOST_SPANS = 100
"""Days are merged in at most so many spans of time: more make a predicate that takes long to read."""
_MICROS = 1_000_000
_TIME = pa.timestamp("us", "UTC")

Span = tuple[int, int]
"""From the start of a day to the end of one, in seconds since 1970 UTC."""


def update(places: Places, result: Result, since_sequence: int, commit: commits.Commit, near: NearPanes | None) -> None:
    """Merge the days anew that have a pane which was written after `since_sequence`, in one commit. `near`: panes that
    are read anyhow, all of these days and since; None: they are read from their table.
    """
    assert result.panes
    path, panes = places.table(result.table("calendar_days")), DeltaTable(places.table(result.table("panes")))
    table, changed = DeltaTable(path), dict[str, tuple[list[Span], NearPanes | None]]()
    for zone in result.day_zones:
        is_there = bool(len(table_queries.query(table, f"select 1 as n from it where {condition(zone)} limit 1")))
        known = near if is_there else None
        starts = _new_starts(panes, known, since_sequence if is_there else 0)
        if len(starts):
            changed[zone] = _spans(zone, starts), known
    if not changed:
        return
    columns = pa.schema(table.schema().to_arrow())
    pieces = (
        rows
        for zone, (spans, known) in changed.items()
        for span in spans
        for rows in merge(_panes_in(panes, known, span), zone, result.panes, columns)
    )
    where = " or ".join(f"({condition(zone)} and ({_within(spans)}))" for zone, (spans, _) in changed.items())
    delta_tables.replace_in_pieces(pieces, path, where, commit, TARGET_FILE_BYTES)


def sources(places: Places, result: Result, since_sequence: int) -> list[Source]:
    """The days that changed after `since_sequence`, and all that share longer windows with one, zone by zone. Raises
    TooMuch.
    """
    path, found = places.table(result.table("calendar_days")), []
    for zone in result.day_zones:
        kinds = tuple(window for window in result.windows_from_days if window.zone == zone)
        found.append(Source(kinds, stored_panes.near(path, kinds, since_sequence, condition(zone))))
    return found


def condition(zone: str) -> str:
    """SQL that holds for the days of a zone."""
    return f"{ZONE} = '{zone}'"


def merge(pieces: Iterator[pa.RecordBatch], zone: str, panes: Panes, columns: pa.Schema) -> Iterator[pa.Table]:
    """Days of a zone out of partial panes in order of time: a row for each day and group, as if it were a pane."""
    target = pa.schema([field for field in columns if field.name != ZONE])
    held: pa.Table | None = None
    for piece in pieces:
        table = _with_days(pa.Table.from_batches([piece]).select(target.names).cast(target), zone)
        table = table if held is None else pa.concat_tables([held, table])
        is_last = pc.equal(table["pane_start"], pc.max(table["pane_start"]))
        whole = table.filter(pc.invert(is_last))
        if len(whole):
            yield _whole_days(whole, zone, panes, target)
        held = pa.Table.from_batches(pane_table.combine(table.filter(is_last), panes, target), target)
    if held is not None:
        yield _whole_days(held, zone, panes, target)


def _whole_days(table: pa.Table, zone: str, panes: Panes, target: pa.Schema) -> pa.Table:
    rows = pa.Table.from_batches(pane_table.combine(table, panes, target), target)
    return rows.append_column(ZONE, pa.repeat(zone, len(rows)))


def _with_days(table: pa.Table, zone: str) -> pa.Table:
    """Panes that start where their day does; where that is before 1970, they start in 1970."""
    seconds = table["pane_start"].cast(pa.int64()).to_numpy() // _MICROS
    begins = pa.array(np.maximum(days.starts(zone, seconds), 0) * _MICROS, _TIME)
    return table.set_column(table.schema.get_field_index("pane_start"), "pane_start", begins.cast(_TIME))


def _new_starts(panes: DeltaTable, near: NearPanes | None, since_sequence: int) -> np.ndarray:
    """Where the panes start that were written after `since_sequence`, in seconds since 1970 UTC."""
    if near:
        parts = [pa.Table.from_batches([piece]) for piece in near.read(("pane_start", "sequence"))]
        new = pa.concat_tables(parts).filter(pc.field("sequence") > since_sequence)
    else:
        new = table_queries.query(panes, f"select distinct pane_start from it where sequence > {since_sequence}")
    starts: np.ndarray = new["pane_start"].cast(pa.int64()).to_numpy() // _MICROS
    return starts


def _spans(zone: str, seconds: np.ndarray) -> list[Span]:
    """Spans of whole days that hold all of these instants, apart from each other."""
    begins = np.unique(days.starts(zone, seconds))
    ends = days.ends(zone, begins)
    pauses = begins[1:] - ends[:-1]
    last = np.sort(np.argsort(pauses)[::-1][: min(MOST_SPANS - 1, int((pauses > 0).sum()))])
    firsts, afters = begins[np.append(0, last + 1)], ends[np.append(last, len(ends) - 1)]
    return [(max(first, 0), after) for first, after in zip(firsts.tolist(), afters.tolist(), strict=True)]


def _within(spans: list[Span]) -> str:
    literals = [tuple(table_queries.literal(second * _MICROS) for second in span) for span in spans]
    return " or ".join(f"(pane_start >= {first} and pane_start < {after})" for first, after in literals)


def _panes_in(panes: DeltaTable, near: NearPanes | None, span: Span) -> Iterator[pa.RecordBatch]:
    """The partial panes that start in this span, in pieces in order of time."""
    if near is None:
        yield from stored_panes.between(panes, *(table_queries.literal(second * _MICROS) for second in span))
        return
    first, after = (pa.scalar(second * _MICROS, _TIME) for second in span)
    for piece in near.read(None):
        inside = pc.and_(pc.greater_equal(piece["pane_start"], first), pc.less(piece["pane_start"], after))
        if pc.any(inside).as_py():
            yield piece.filter(inside)
