"""Where two versions of a Delta table may differ: in the files that one of them has and the other has not.

In slices of a column of instants, so that a reader has few rows in memory, however much has changed.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.lake import table_queries

MOST_SPANS = 50
"""A condition names at most so many spans of time; with more files it names one span that covers them all."""
_TIME = pa.timestamp("us", "UTC")
_CUT_MICROS = 1_000
"""Statistics of Spark are cut to milliseconds."""


def slices(old: DeltaTable, now: DeltaTable, column: str, most_rows: int) -> Iterator[str]:
    """SQL conditions that together hold for all rows which differ, and for others. Each holds for about `most_rows`
    rows of a version, or for those of one instant. Rows of equal instants in `column` are in the same slice.
    """
    where = _where_files_differ(old, now, column)
    if where is None:
        return
    sql = f'select "{column}", count(*) as rows from it where {where} group by "{column}"'
    counts = pa.concat_tables([table_queries.query(table, sql) for table in (old, now)])
    micros, groups = np.unique(counts[column].cast(pa.int64()).to_numpy(), return_inverse=True)
    before = np.cumsum(np.bincount(groups, counts["rows"].to_numpy(), len(micros))) if len(micros) else micros
    numbers = before // most_rows
    for number in np.unique(numbers):
        first, last = (table_queries.literal(int(each)) for each in micros[numbers == number][[0, -1]])
        yield f'"{column}" >= {first} and "{column}" <= {last} and ({where})'


def _where_files_differ(old: DeltaTable, now: DeltaTable, column: str) -> str | None:
    """SQL that holds for all rows of the files that one version has and the other has not; None if there are none."""
    files = [pa.table(table.get_add_actions(flatten=True)) for table in (old, now)]
    paths = [set(each["path"].to_pylist()) if len(each) else set() for each in files]
    differing = paths[0] ^ paths[1]
    if not differing:
        return None
    spans: list[tuple[int, int]] = []
    for each in filter(len, files):
        there = each.filter(pc.is_in(each["path"], pa.array(sorted(differing))))
        names = (f"min.{column}", f"max.{column}")
        if any(name not in there.column_names or there[name].null_count for name in names):
            return "true"
        bounds = [there[name].cast(_TIME).cast(pa.int64()).to_pylist() for name in names]
        spans += [(first - _CUT_MICROS, last + _CUT_MICROS) for first, last in zip(*bounds, strict=True)]
    return " or ".join(
        f'("{column}" >= {table_queries.literal(first)} and "{column}" <= {table_queries.literal(last)})'
        for first, last in _without_overlaps(spans)
    )


def _without_overlaps(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that cover the same, in order; one that covers them all if they are many."""
    apart: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if apart and first <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(last, apart[-1][1])
        else:
            apart.append((first, last))
    return apart if len(apart) <= MOST_SPANS else [(apart[0][0], apart[-1][1])]
