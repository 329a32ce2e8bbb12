"""Are the tables the same, however the log was cut into batches?"""

import math
from collections.abc import Sequence
from typing import Any

from jobs.answers import table_names
from jobs.answers.result import Result
from jobs.testing.rows import Row, Rows

DIFFERS = ("revision", "updated_time", "sequence", "requeued_sequence")
"""Columns that tell how often and when a row was written, and so depend on the cut."""
SKETCH = "_sketch"
"""Sketches are compared by the estimates beside them: their bytes have an order."""
RELATIVE = 1e-9
"""Sums of doubles may differ so much, as they are added in another order."""


def check(result: Result, found: Rows, expected: Rows, cut: str) -> None:
    """Raises AssertionError, with the table, the row and the columns, if they differ. `cut`: how it was cut."""
    place = ("topic", "partition", "offset")
    keys = {table: key for table, key in result.delivery_keys.items()} | {"quarantine": place, "stragglers": place}
    for table, key in keys.items():
        name = table_names.part(result.name, table)
        rows = [_by_key(run.table(table), key) for run in (found, expected)]
        for row_key in sorted(rows[0].keys() | rows[1].keys(), key=repr):
            one, other = (by_key.get(row_key) for by_key in rows)
            named = ", ".join(f"{column}={value!r}" for column, value in zip(key, row_key, strict=True))
            if one is None or other is None:
                where = "only if the log is read at once" if one is None else f"only if it is {cut}"
                raise AssertionError(f"{name} has the row with {named} {where}")
            compared = [column for column in other if column not in DIFFERS and not column.endswith(SKETCH)]
            wrong = [column for column in compared if not _is_same(one[column], other[column])]
            if wrong:
                values = ", ".join(f"{column} {one[column]!r} and not {other[column]!r}" for column in wrong)
                raise AssertionError(f"{name}, the row with {named}: {values}, if the log is {cut}")


def _by_key(rows: list[Row], key: Sequence[str]) -> dict[tuple[Any, ...], Row]:
    return {tuple(row[column] for column in key): row for row in rows}


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)
