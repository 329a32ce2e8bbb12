"""A view is brought up to date after the tables of latest rows that it reads: the rows that their changes touch are
computed, compared with the stored ones, and what differs is merged into its table.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.latest import Latest
from jobs.answers.result import Result
from jobs.answers.views import analysis, evaluation, limits
from jobs.answers.views.evaluation import TableChanges
from jobs.answers.views.view import View
from jobs.lake import commits, table_queries
from jobs.publishing import event_difference, key_rows, row_writing
from jobs.publishing.event_difference import CHANGE, WITHDRAWN
from jobs.running.errors import Mistake
from jobs.running.places import Places

MOST_REWRITTEN = 4_000_000
"""A view of so many rows is written anew as a whole if more than two rows a file change: they lie all over
its files."""


@dataclass(frozen=True)
class ViewPublication:
    """What was done."""

    changes: pa.Table | None = None
    """For a feed."""
    notes: tuple[str, ...] = ()
    """For the ledger."""


def update(
    places: Places,
    result: Result,
    view: View,
    changes: Mapping[str, pa.Table | None],
    before: Mapping[str, pa.Table],
    commit: commits.Commit,
) -> ViewPublication:
    """Bring the table of the view up to the tables of latest rows as they are now, in one commit. `changes`: by the
    name of each answer, what this publish has changed in its table; `before`: those rows as they were.
    """
    happened = {name: _table_changes(changes[name], before[name]) for name in before if changes[name] is not None}
    if not happened:
        return ViewPublication()
    tables = latest_tables(places, result)
    found = analysis.analyse_tables(view, schemas(tables))
    now = {name: read_columns(tables[name], columns) for name, columns in found.needed.items()}
    limited = limits.limit(view, now, happened, _reader(tables))
    path = places.table(result.answer_table(view))
    stored_table = DeltaTable(path)
    count = _row_count(stored_table)
    with tempfile.TemporaryDirectory(prefix="headrace-view-") as spill:
        touched = None
        if count:
            touched = evaluation.touched_values(view, found, limited.tables, limited.changes, spill)
        if touched is not None and not len(touched):
            return ViewPublication(notes=limited.notes)
        rows = evaluation.rows(view, found, limited.tables, touched, spill)
    stored = _stored_rows(stored_table, view, rows, touched)
    was = stored.drop_columns(row_writing.OWN)
    differs = event_difference.compare(was, rows.cast(was.schema), view.key)
    is_dense = len(differs) > 2 * len(stored_table.file_uris()) and count <= MOST_REWRITTEN
    write = row_writing.rewrite if is_dense else row_writing.merge
    return ViewPublication(write(path, differs, stored, view.key, commit), limited.notes)


def latest_tables(places: Places, result: Result, versions: Mapping[str, int] | None = None) -> dict[str, DeltaTable]:
    """The tables that views may read, by the name that they have in SQL; as they are now, or at these versions by name
    of the table.
    """
    answers = [each for each in result.change_answers if isinstance(each, Latest) and each.name]
    names = {each.name: result.answer_table(each) for each in answers}
    return {
        called: DeltaTable(places.table(name), version=versions[name] if versions else None)
        for called, name in names.items()
    }


def read_columns(table: DeltaTable, columns: tuple[str, ...]) -> pa.Table:
    """These columns of all rows; of a row at least one, so that rows can be counted."""
    kinds = pa.schema(table.schema().to_arrow())
    names = list(columns) or kinds.names[:1]
    return table.to_pyarrow_dataset().to_table(columns=names).cast(pa.schema([kinds.field(name) for name in names]))


def schemas(tables: Mapping[str, DeltaTable]) -> dict[str, pa.Schema]:
    """The columns of these tables."""
    return {name: pa.schema(table.schema().to_arrow()) for name, table in tables.items()}


def _reader(tables: Mapping[str, DeltaTable]) -> limits.ReadRows:
    """Reads whole rows of these tables."""
    return lambda name, values: key_rows.read(tables[name], values, tuple(values.column_names))


def _table_changes(changes: pa.Table | None, before: pa.Table) -> TableChanges:
    assert changes is not None
    return TableChanges(before, changes.filter(pc.not_equal(changes[CHANGE], WITHDRAWN)))


def _row_count(table: DeltaTable) -> int:
    """How many rows the table has, by the statistics in Delta's log."""
    files = pa.table(table.get_add_actions(flatten=True))
    return int(pc.sum(files["num_records"]).as_py() or 0) if len(files) else 0


def _stored_rows(table: DeltaTable, view: View, rows: pa.Table, touched: pa.Table | None) -> pa.Table:
    """The stored rows with touched values of `by`, or all. Raises Mistake if another has the key of one of `rows`."""
    if touched is None:
        return table_queries.rows(table)
    if any(column.null_count for column in touched.columns):
        everything = table_queries.rows(table)
        stored = everything.filter(pa.array(event_difference.places_among(everything, touched, view.by) >= 0))
    else:
        stored = key_rows.read(table, touched, view.by)
    if set(view.by) <= set(view.key):
        return stored
    same = key_rows.read(table, rows, view.key)
    others = int(np.sum(event_difference.places_among(same, stored, view.key) < 0))
    if others:
        raise Mistake(
            f"{view.owner}: its SQL gives several rows for {others:,} keys ({', '.join(view.key)}), with unlike by. "
            "Let key have all columns that tell rows apart, or the SQL give one row of them"
        )
    return stored
