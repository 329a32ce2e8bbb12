"""The table of rules: for each version of a rule what is wrong with it, how many events have met it, and what it took.

Hits follow from the rows of the answer. What was tried, and how long that took, is measured, so it differs from run to
run.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType

from jobs.answers.rules.rule_set import LEAST_EVENTS, SLOW_MICROS, Effort
from jobs.answers.versions import INTERVAL

TABLE = "rules"
"""What follows the name of the answer's table."""
FAULT, HITS, TRIED, MICROS = "fault", "hits", "tried", "micros_an_event"
COLUMNS = StructType(
    [
        StructField(FAULT, StringType(), True, {"comment": "What is wrong with the rule, which is not used then."}),
        StructField(HITS, LongType(), True, {"comment": "Rows of the answer with this version of the rule."}),
        StructField(TRIED, LongType(), True, {"comment": "Events that were tried on it: candidates, from its index."}),
        StructField(
            MICROS,
            DoubleType(),
            True,
            {"comment": "Microseconds of computing for each event of the last publish that tried it; measured."},
        ),
    ]
)
"""What it has beside the columns that tell a version from another, and its interval."""


def columns(versions: StructType, row_key: Sequence[str]) -> StructType:
    """All columns of the table. `row_key`: tells a version from another."""
    return StructType([*(versions[name] for name in row_key), *INTERVAL, *COLUMNS])


def effort_rows(versions: pa.Table, row_key: Sequence[str], effort: Effort) -> pa.Table:
    """What was measured, by version; those that were tried."""
    rows = versions.select(row_key)
    for name, values in ((TRIED, effort.tried), (MICROS, effort.nanos / 1_000 / max(effort.events, LEAST_EVENTS))):
        rows = rows.append_column(name, pa.array(values))
    return rows.filter(pc.greater(rows[TRIED], 0))


def added_hits(before: pa.Table, now: pa.Table, named: dict[str, str]) -> pa.Table:
    """By version how many rows it has now less those that it had. `named`: columns of rows, and those of versions."""
    parts = [_counts(rows, named, sign) for rows, sign in ((before, -1), (now, 1)) if len(rows)]
    if not parts:
        return _counts(now, named, 1)
    return sums(pa.concat_tables(parts), list(named.values()))


def _counts(rows: pa.Table, named: dict[str, str], sign: int) -> pa.Table:
    chosen = rows.select(list(named)).rename_columns(list(named.values()))
    counted = chosen.group_by(chosen.column_names, use_threads=False).aggregate([([], "count_all")])
    counts = pc.multiply(counted["count_all"], sign)
    return counted.drop_columns(["count_all"]).append_column(HITS, counts)


def sums(parts: pa.Table, row_key: Sequence[str]) -> pa.Table:
    """The numbers of each version added up; of the microseconds the most."""
    how = {HITS: "sum", TRIED: "sum", MICROS: "max"}
    numbers = [(name, how[name]) for name in parts.column_names if name in how]
    added = parts.group_by(list(row_key), use_threads=False).aggregate(numbers)
    return added.rename_columns([*row_key, *(name for name, _ in numbers)])


def slow_rules(effort: pa.Table) -> int:
    """How many versions took more than SLOW_MICROS."""
    return int(np.count_nonzero(effort[MICROS].to_numpy() > SLOW_MICROS))
