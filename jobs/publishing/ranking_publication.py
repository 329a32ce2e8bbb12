"""Rankings follow the table of windows: where a publish has changed it they are made anew, and what differs is written.

Both rankings, of the windows before the publish and of those after it, come out of the versions of that table.
"""

import pyarrow as pa
from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.answers.top import Top
from jobs.answers.windows import KEYS, KIND
from jobs.lake import commits, table_queries, version_difference
from jobs.publishing import event_difference, row_writing
from jobs.publishing.finality import Finality
from jobs.running.instants import to_micros
from jobs.running.places import Places

SLICE_ROWS = 500_000
"""About how many rows of windows are ranked at once."""


def update(
    places: Places, result: Result, before: int, finality: Finality, commit: commits.Commit
) -> dict[str, pa.Table | None]:
    """Bring the rankings to what the windows are now, each in one commit. `before`: the version of the table of windows
    to which the rankings belong. Returns by the name of the ranking what has changed, for a feed.
    """
    path = places.table(result.name)
    old, now = DeltaTable(path, version=before), DeltaTable(path)
    slices = list(version_difference.slices(old, now, "window_start", SLICE_ROWS))
    complete = tuple(map(to_micros, finality.instants))
    written: dict[str, pa.Table | None] = {}
    for ranking in result.rankings:
        parts = [_changes(result, ranking, where, (old, now), complete) for where in slices]
        target = places.table(result.answer_table(ranking))
        changed = pa.concat_tables(parts) if parts else None
        written[ranking.name] = (
            None
            if changed is None
            else row_writing.write(target, changed, result.answer_keys[ranking.name], "window_start", commit)
        )
    return written


def _changes(
    result: Result, ranking: Top, where: str, versions: tuple[DeltaTable, DeltaTable], complete: tuple[int, ...]
) -> pa.Table:
    """How the rows of a ranking change, of the windows for which `where` holds."""
    columns = (*KEYS, *ranking.each, ranking.item, ranking.by)
    names = ", ".join(f'"{name}"' for name in (result.window_column, *columns[1:]))
    earlier, later = (
        ranking.rows(
            table_queries.query(table, f"select {names} from it where {where}").rename_columns(columns), micros
        )
        for table, micros in zip(versions, complete, strict=True)
    )
    changed = event_difference.compare(earlier, later, ranking.key)
    return changed.rename_columns({KIND: result.window_column})
