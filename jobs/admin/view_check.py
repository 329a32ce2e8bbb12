"""Does the table of a view have the rows that its SQL gives over the tables of latest rows?"""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.answers.views import analysis, evaluation, limits
from jobs.answers.views.view import View
from jobs.keeping import ledger
from jobs.lake import table_queries
from jobs.publishing import event_difference, view_publication
from jobs.publishing.event_difference import CHANGE, NEW, REVISED, WITHDRAWN
from jobs.running.errors import Refused
from jobs.running.places import Places

SHOWN = 20
"""Keys of a view that are listed."""


@dataclass(frozen=True)
class ViewCheck:
    """What was found of one view."""

    table: str
    key: tuple[str, ...]
    rows: int
    """How many its SQL gives."""
    missing: pa.Table
    """Keys of rows that the table should have."""
    additional: pa.Table
    """Keys of rows that it should not have."""
    different: pa.Table
    """Keys of rows with other values than the SQL gives."""
    columns: Counter[str]
    """In how many of the different rows each column differs."""

    @property
    def is_right(self) -> bool:
        """Whether all rows are as they should be."""
        return not (len(self.missing) or len(self.additional) or len(self.different))


def check(places: Places, result: Result) -> list[ViewCheck]:
    """Compare each view of the result with its whole SQL, both at the last row of its ledger. Raises Refused if it has
    no view, or nothing was published yet.
    """
    if not result.views:
        raise Refused(f"{result.name} has no view.")
    last = ledger.last(places, result.name)
    if last is None:
        raise Refused(f"{result.name} has not run yet: run its job.")
    versions = {name: table["version"] for name, table in last.tables.items()}
    tables = view_publication.latest_tables(places, result, versions)
    return [_check_view(places, result, view, tables, versions) for view in result.views]


def _check_view(
    places: Places, result: Result, view: View, tables: dict[str, DeltaTable], versions: dict[str, int]
) -> ViewCheck:
    name = result.answer_table(view)
    found = analysis.analyse_tables(view, view_publication.schemas(tables))
    now = {each: view_publication.read_columns(tables[each], columns) for each, columns in found.needed.items()}
    now = limits.limit(view, now, {}, lambda name, _: now[name]).tables
    with tempfile.TemporaryDirectory(prefix="headrace-view-") as spill:
        rows = evaluation.rows(view, found, now, None, spill)
    stored = table_queries.read(places.table(name), versions[name])
    stored = stored.select(found.schema.names)
    rows = rows.cast(stored.schema)
    differs = event_difference.compare(stored, rows, view.key)
    missing, additional, different = (_of_kind(differs, change) for change in _KINDS.values())
    at = event_difference.places_among(different, stored, view.key)
    columns = Counter(_different_columns(different, stored.take(pa.array(at)), view.key))
    keys = [part.select(view.key) for part in (missing, additional, different)]
    return ViewCheck(name, view.key, len(rows), keys[0], keys[1], keys[2], columns)


_KINDS = {"missing": NEW, "additional": WITHDRAWN, "different": REVISED}


def _of_kind(differs: pa.Table, change: str) -> pa.Table:
    return differs.filter(pc.equal(differs[CHANGE], change)).drop_columns([CHANGE])


def _different_columns(one: pa.Table, other: pa.Table, key: tuple[str, ...]) -> Iterator[str]:
    """Each column once for each pair of rows that differ in it."""
    for name in (name for name in one.column_names if name not in key):
        asked = [*key, name]
        changed = event_difference.compare(one.select(asked), other.select(asked), key)
        yield from [name] * len(changed)


def lines(found: ViewCheck, show_keys: bool) -> list[str]:
    """What to tell about it. Keys are values of records, and shown if that is asked for alone."""
    if found.is_right:
        return [f"{found.table}: equal to its SQL: {found.rows:,} rows"]
    counts = {kind: len(getattr(found, kind)) for kind in _KINDS}
    wrong = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    text = [f"{found.table}: differs from its SQL, of {found.rows:,} rows: {wrong}"]
    text += [f"  {count:,} in {name}" for name, count in sorted(found.columns.items())]
    if not show_keys:
        return [*text, "  which: --show-keys"]
    for kind in _KINDS:
        for row in getattr(found, kind).slice(0, SHOWN).to_pylist():
            text.append(f"  {kind}: {', '.join(f'{name} {value!r}' for name, value in row.items())}")
    return text
