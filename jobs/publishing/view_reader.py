"""Reads rows of a view together with those that its `limit` leaves to readers: its SQL over the whole tables of latest
rows, for one value of `by`. Without Java.
"""

import tempfile
from collections.abc import Mapping

import pyarrow as pa
from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.answers.views import analysis, evaluation
from jobs.answers.views.view import View
from jobs.publishing import view_publication
from jobs.publishing.results import query
from jobs.running.errors import Refused
from jobs.running.places import Places


def rows(places: Places, result: Result, view: View, **values: object) -> pa.Table:
    """The rows with these values of `by`, as of the ledger's last row: `rows(places, RESULT, TIMELINE, follower=17)`.

    Raises Refused unless each column of `by` has a value, and if the result has not run yet.
    """
    if not view.by or set(values) != set(view.by):
        asked = ", ".join(f"{name}=..." for name in view.by) or "by, which this view does not have"
        raise Refused(f"{view.owner}: its rows are read by a value of each column of {asked}.")
    return rows_over(view_publication.latest_tables(places, result, _versions(places, result)), view, values)


def rows_over(tables: Mapping[str, DeltaTable], view: View, values: Mapping[str, object]) -> pa.Table:
    """The rows with these values of `by` over these tables, by the names that they have in SQL."""
    found = analysis.analyse_tables(view, view_publication.schemas(tables))
    now = {name: view_publication.read_columns(tables[name], found.needed[name]) for name in found.reads}
    wanted = pa.Table.from_pylist([dict(values)], pa.schema([found.schema.field(name) for name in view.by]))
    with tempfile.TemporaryDirectory(prefix="headrace-view-") as spill:
        return evaluation.rows(view, found, now, wanted, spill)


def _versions(places: Places, result: Result) -> dict[str, int]:
    """Of the tables, by name, in the ledger's last row."""
    ledger = result.table("ledger")
    last = query(places, f'select tables from "{ledger}" order by sequence desc limit 1', ledger)
    if not len(last):
        raise Refused(f"{result.name} has not run yet: run its job.")
    tables = last["tables"].to_pylist(maps_as_pydicts="strict")[0]
    return {name: table["version"] for name, table in tables.items()}
