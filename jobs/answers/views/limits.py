"""Rows that a view leaves to its readers: those of values that very many rows of a table have.

Which values these are follows from the tables as they are, and not from how they came to be so. When a value gets above
its limit, or falls below it, all its rows leave or enter what the view reads, as if they had changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.views.evaluation import TableChanges
from jobs.answers.views.view import View

ReadRows = Callable[[str, pa.Table], pa.Table]
"""The rows of the table of this name, as it is now, that have one of these values, in a column of the same name."""


@dataclass(frozen=True)
class Limited:
    """What a view reads."""

    tables: dict[str, pa.Table]
    """By name, without the rows that are left out."""
    changes: dict[str, TableChanges]
    """Of these tables."""
    notes: tuple[str, ...] = ()
    """Says where other values are left out than before."""


def limit(
    view: View, tables: Mapping[str, pa.Table], changes: Mapping[str, TableChanges], read_rows: ReadRows
) -> Limited:
    """`tables`: as they are now, with the columns that are needed. `changes`: what has happened to whole tables."""
    found = Limited(dict(tables), dict(changes))
    for table, (column, most) in (view.limit or {}).items():
        found = _limit_table(view, found, table, (column, most), read_rows)
    return found


def _limit_table(view: View, found: Limited, table: str, at: tuple[str, int], read_rows: ReadRows) -> Limited:
    column, most = at
    rows, change = found.tables[table], found.changes.get(table)
    counts = _counts(rows[column], 1)
    now = _above(counts, most)
    tables = found.tables | {table: rows.filter(_is_none_of(rows, column, now))}
    if change is None:
        return replace(found, tables=tables)
    parts = [counts, _counts(change.after[column], -1), _counts(change.before[column], 1)]
    was = _above(_sums(pa.concat_tables(parts)), most)
    columns = change.before.schema
    before = [change.before.filter(_is_none_of(change.before, column, was))]
    after = [change.after.filter(_is_none_of(change.after, column, now)).select(columns.names).cast(columns)]
    for values, others, side in ((now, was, before), (was, now, after)):
        flipped = values.filter(pc.invert(pc.is_in(values, value_set=others)))
        if len(flipped):
            whole = read_rows(table, pa.table({column: flipped}))
            side.append(whole.select(columns.names).cast(columns))
    changed = TableChanges(*(pa.concat_tables(side) for side in (before, after)))
    notes = found.notes
    if not now.equals(was):
        left = f"{len(now):,} values of {column} in {table} have more than {most:,} rows, which are left to readers"
        notes += (f"{view.owner}: {left}",)
    return Limited(tables, found.changes | {table: changed}, notes)


def _counts(values: pa.ChunkedArray, sign: int) -> pa.Table:
    """How many rows have each value, but null."""
    counted = (
        pa.table({"value": values}).drop_null().group_by("value", use_threads=False).aggregate([([], "count_all")])
    )
    return pa.table({"value": counted["value"], "n": pc.multiply(counted["count_all"], sign)})


def _sums(counts: pa.Table) -> pa.Table:
    summed = counts.group_by("value", use_threads=False).aggregate([("n", "sum")])
    return pa.table({"value": summed["value"], "n": summed["n_sum"]})


def _above(counts: pa.Table, most: int) -> pa.Array:
    """The values that more rows than these have, in order."""
    values = counts["value"].filter(pc.greater(counts["n"], most)).combine_chunks()
    return values.take(pc.sort_indices(values))


def _is_none_of(rows: pa.Table, column: str, values: pa.Array) -> pa.ChunkedArray:
    return pc.invert(pc.is_in(rows[column], value_set=values))
