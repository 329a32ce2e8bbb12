"""What a publish has changed in a table of windows: its rows now, compared with those of the version before.

A publish of windows works in this process or in Spark, and does not know the rows that were there. So they are compared
where files have changed.
"""

import pyarrow as pa
from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.lake import table_queries, version_difference
from jobs.publishing import event_difference
from jobs.running.places import Places

SLICE_ROWS = 200_000
"""About how many rows of a version are compared at once."""


def version(places: Places, result: Result) -> int:
    """The version of the table of windows now."""
    return DeltaTable(places.table(result.name)).version()


def changes(places: Places, result: Result, before: int) -> pa.Table | None:
    """The windows that differ from those of version `before`, and how; None if nothing was written."""
    path, key = places.table(result.name), result.answer_keys[""]
    old, now = DeltaTable(path, version=before), DeltaTable(path)
    parts = [
        event_difference.compare(table_queries.rows_where(old, where), table_queries.rows_where(now, where), key)
        for where in version_difference.slices(old, now, "window_start", SLICE_ROWS)
    ]
    return pa.concat_tables(parts) if parts else None
