"""Windows that were added to a result, or removed from it, after its tables were created.

All panes are still stored, so a window that is added is published for all of them at once: it has the rows that it
would have if the result had begun with it. The rows of a window that is removed are deleted, as nothing would correct
them any more; adding it again brings them back. Rankings and the feed follow, as they do when windows are published:
the feed has the rows of an added window as new ones, and those of a removed one as withdrawn. If a run ends before the
ledger row of the change is written, the next one rolls its commits back and starts again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.answers.result import WINDOWS, Result, windows_text
from jobs.answers.windows import Window, Windows
from jobs.keeping import ledger
from jobs.keeping.answer_publication import with_feed
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind, Step, announce
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import publication, ranking_publication, version_feed
from jobs.publishing.finality import Finality
from jobs.running.places import Places

MARK = "windows-"
"""Begins the generation of the commits of a change, with its sequence: no batch has it."""


def is_unfinished(uncommitted: Sequence[dict[str, object]]) -> bool:
    """Whether these commits, which no ledger row has, all belong to a change of windows that was broken off."""
    return bool(uncommitted) and all(str(commit.get("generation")).startswith(MARK) for commit in uncommitted)


def roll_back(places: Places, result: Result, uncommitted: Sequence[dict[str, object]], last: Row) -> Row:
    """Restore the tables of these commits to their versions in the ledger's `last` row; returns a new ledger row, which
    says so.
    """
    now = dict(last.tables)
    for name in {str(commit["table"]): None for commit in uncommitted}:
        delta_tables.restore(places.table(name), now[name]["version"])
        now[name] = now[name] | {"version": delta_tables.identity(places.table(name))[1]}
    note = f"a change of the windows that was not finished was taken back from {places.table(result.name)}"
    return ledger.write(places, result.name, replace(_next(last), tables=now, notes=(note,)))


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
    """Remove the rows of the windows with the labels `removed`, publish those of the windows `added`, let rankings and
    the feed follow, and write the ledger row that says so. Raises Refused if another run is writing too.
    """
    path, row = places.table(result.name), _next(last)
    commit = commits.Commit(
        *(result.name, f"{MARK}{row.sequence}", row.sequence, Step.REMOVE_WINDOWS, row.start_offsets, row.end_offsets)
    )
    before = version_feed.version(places, result)
    finality = Finality(row.published_complete_time, row.published_complete_time)
    if removed:
        labels = ", ".join(map(table_queries.text_literal, removed))
        nothing = pa.schema(DeltaTable(path).schema().to_arrow()).empty_table()
        with announce(step, Step.REMOVE_WINDOWS):
            delta_tables.replace(nothing, path, f'"{result.window_column}" in ({labels})', commit)
    if added:
        assert result.panes
        only_added = replace(result, answers=Windows(result.panes, *added), deliver=())
        commit_of_added = replace(commit, step=Step.ADD_WINDOWS)
        with announce(step, Step.ADD_WINDOWS):
            publication.publish(spark, places, only_added, 0, finality, commit_of_added)
    ranked: dict[str, pa.Table | None] = {}
    if result.rankings:
        with announce(step, Step.PUBLISH):
            commit_of_rankings = replace(commit, step=Step.PUBLISH)
            ranked = ranking_publication.update(places, result, before, finality, commit_of_rankings)
    notes = [f"windows {label} are published no more: their rows were removed" for label in removed]
    notes += [f"windows {window.name} were published for all panes" for window in added]
    row = replace(row, notes=tuple(notes), definition=row.definition | {WINDOWS: windows_text(result.windows)})
    row = with_feed(
        *(places, step, result, last, row),
        lambda: {"": version_feed.changes(places, result, before)} | ranked,
        lambda _, of_feed: replace(commit, step=of_feed),
    )
    row = ledger.with_versions(places, row, commit)
    with announce(step, Step.LEDGER):
        return ledger.write(places, result.name, row)
