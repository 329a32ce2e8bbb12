"""What a publish has changed in a table of windows: its rows now, compared with those of the version before.

A publish of windows works in this process or in Spark, and does not know the rows that were there. So they are compared
where files have changed.
"""

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.lake import table_queries
from jobs.publishing import event_difference
from jobs.running.places import Places

_TIME = pa.timestamp("us", "UTC")
_CUT_MICROS = 1_000
"""Statistics of Spark are cut to milliseconds."""


def version(places: Places, result: Result) -> int:
    """The version of the table of windows now."""
    return DeltaTable(places.table(result.name)).version()


def changes(places: Places, result: Result, before: int) -> dict[str, pa.Table | None]:
    """By name of the answer, "", the rows that differ from those of version `before`, and how."""
    path, [(answer, key)] = places.table(result.name), result.answer_keys.items()
    old, now = DeltaTable(path, version=before), DeltaTable(path)
    where = _where_files_differ(old, now)
    if where is None:
        return {answer: None}
    return {
        answer: event_difference.compare(
            table_queries.rows_where(old, where), table_queries.rows_where(now, where), key
        )
    }


def _where_files_differ(old: DeltaTable, now: DeltaTable) -> str | None:
    """SQL that holds for all rows of the files that one version has and the other has not; None if there are none."""
    files = [pa.table(table.get_add_actions(flatten=True)) for table in (old, now)]
    paths = [set(each["path"].to_pylist()) if len(each) else set() for each in files]
    differing = paths[0] ^ paths[1]
    if not differing:
        return None
    bounds: list[int] = []
    for each in files:
        if not len(each):
            continue
        there = each.filter(pc.is_in(each["path"], pa.array(sorted(differing))))
        for name in ("min.window_start", "max.window_start"):
            if name not in there.column_names or there[name].null_count:
                return "true"
            bounds += there[name].cast(_TIME).cast(pa.int64()).to_pylist()
    first, last = table_queries.literal(min(bounds) - _CUT_MICROS), table_queries.literal(max(bounds) + _CUT_MICROS)
    return f"window_start >= {first} and window_start <= {last}"
