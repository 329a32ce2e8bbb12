"""Windows that were added to a result, or taken from it, after its tables were made: their rows come, or go.

Windows are made of panes, and panes are all there: a window that is added is published for all of them at once, and so
has the rows that it would have if the result had begun with it. The rows of one that is taken away are removed, as
nobody would correct them any more; to add it again brings them back. A run that ends before the ledger row of the
change is written leaves its commits to the next one, which takes them back, and begins again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.answers.result import WINDOWS, Result, windows_text
from jobs.answers.windows import Window
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind, Step, announce
from jobs.lake import commits, delta_tables
from jobs.publishing import publication
from jobs.running.places import Places


def is_unfinished(strays: Sequence[dict[str, object]]) -> bool:
    """Whether these commits, which no ledger row knows, are of a change that was broken off, and of nothing else."""
    return bool(strays) and all(commit["step"] in (Step.REMOVE_WINDOWS, Step.ADD_WINDOWS) for commit in strays)


def take_back(places: Places, result: Result, last: Row) -> Row:
    """Put the table back to where the ledger's `last` row is; returns a new row, which says so."""
    known, path = last.tables[result.name], places.table(result.name)
    delta_tables.restore(path, known["version"])
    now = {result.name: known | {"version": delta_tables.identity(path)[1]}}
    note = f"a change of the windows that was not finished was taken back from {path}"
    return ledger.write(places, result.name, replace(_next(last), tables=last.tables | now, notes=(note,)))


def _next(last: Row) -> Row:
    """The ledger row after `last`; it publishes no batch."""
    row = last.next(Kind.PUBLISH)
    return replace(row, published_sequence=row.sequence if last.published else last.published_sequence)


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
    generation = f"windows-{row.sequence}"  # no batch's: what is not finished is taken back
    commit = commits.Commit(
        result.name, generation, row.sequence, Step.REMOVE_WINDOWS, row.start_offsets, row.end_offsets
    )
    if removed:
        labels = ", ".join("'" + label.replace("'", "''") + "'" for label in removed)
        nothing = pa.schema(DeltaTable(path).schema().to_arrow()).empty_table()
        with announce(step, Step.REMOVE_WINDOWS):
            delta_tables.replace(nothing, path, f'"window" in ({labels})', commit)
    if added:
        only_added, commit_of_added = replace(result, windows=tuple(added)), replace(commit, step=Step.ADD_WINDOWS)
        with announce(step, Step.ADD_WINDOWS):
            publication.publish(spark, places, only_added, 0, commit_of_added)
    notes = [f"windows {label} are published no more: their rows were removed" for label in removed]
    notes += [f"windows {window.name} were published for all panes" for window in added]
    row = replace(row, notes=tuple(notes), definition=row.definition | {WINDOWS: windows_text(result.windows)})
    row = ledger.with_versions(places, row, commit)
    with announce(step, Step.LEDGER):
        return ledger.write(places, result.name, row)
