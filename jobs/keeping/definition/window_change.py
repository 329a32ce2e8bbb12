"""Windows that were added to a result, or removed from it, after its tables were created.

All panes are still stored, so a window that is added is published for all of them at once: it has the rows that it
would have if the result had begun with it. The rows of a window that is removed are deleted, as nothing would correct
them any more; adding it again brings them back. If a run ends before the ledger row of the change is written, the next
one rolls its commits back and starts again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.answers.result import WINDOWS, Result, windows_text
from jobs.answers.windows import Window, Windows
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind, Step, announce
from jobs.lake import commits, delta_tables
from jobs.publishing import publication
from jobs.publishing.finality import Finality
from jobs.running.places import Places


def is_unfinished(uncommitted: Sequence[dict[str, object]]) -> bool:
    """Whether these commits, which no ledger row has, all belong to a change of windows that was broken off."""
    return bool(uncommitted) and all(
        commit["step"] in (Step.REMOVE_WINDOWS, Step.ADD_WINDOWS) for commit in uncommitted
    )


def roll_back(places: Places, result: Result, last: Row) -> Row:
    """Restore the table to the version of the ledger's `last` row; returns a new ledger row, which says so."""
    known, path = last.tables[result.name], places.table(result.name)
    delta_tables.restore(path, known["version"])
    now = {result.name: known | {"version": delta_tables.identity(path)[1]}}
    note = f"a change of the windows that was not finished was taken back from {path}"
    return ledger.write(places, result.name, replace(_next(last), tables=last.tables | now, notes=(note,)))


def _next(last: Row) -> Row:
    """The ledger row after `last`; it publishes no batch."""
    row = last.next(Kind.PUBLISH)
    return replace(row, published_sequence=row.sequence if last.is_published else last.published_sequence)


def apply(
    spark: SparkSession,
    places: Places,
    result: Result,
    removed: Sequence[str],
    added: Sequence[Window],
    last: Row,
    step: Callable[[str], None],
) -> Row:
    """Remove the rows of the windows with the labels `removed`, publish those of the windows `added`, and write the
    ledger row that says so. Raises Refused if another run is writing too.
    """
    path, row = places.table(result.name), _next(last)
    generation = f"windows-{row.sequence}"  # no batch's: a change that is not finished is rolled back
    commit = commits.Commit(
        result.name, generation, row.sequence, Step.REMOVE_WINDOWS, row.start_offsets, row.end_offsets
    )
    if removed:
        labels = ", ".join("'" + label.replace("'", "''") + "'" for label in removed)
        nothing = pa.schema(DeltaTable(path).schema().to_arrow()).empty_table()
        with announce(step, Step.REMOVE_WINDOWS):
            delta_tables.replace(nothing, path, f'"window" in ({labels})', commit)
    if added:
        assert result.panes
        only_added = replace(result, answers=Windows(result.panes, *added))
        commit_of_added = replace(commit, step=Step.ADD_WINDOWS)
        finality = Finality(row.published_complete_time, row.published_complete_time)
        with announce(step, Step.ADD_WINDOWS):
            publication.publish(spark, places, only_added, 0, finality, commit_of_added)
    notes = [f"windows {label} are published no more: their rows were removed" for label in removed]
    notes += [f"windows {window.name} were published for all panes" for window in added]
    row = replace(row, notes=tuple(notes), definition=row.definition | {WINDOWS: windows_text(result.windows)})
    # What is published here is in no feed: one that begins later must begin with all rows.
    row = ledger.with_versions(places, replace(row, delivered_sequence={}), commit)
    with announce(step, Step.LEDGER):
        return ledger.write(places, result.name, row)
