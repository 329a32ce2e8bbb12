"""What the records of a batch come to, by either pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.running.progress import NONE_GOOD


@dataclass(frozen=True)
class Outcome:
    """What the records of a batch come to; its frames are cached."""

    facts: list[dict[str, Any]]
    """A row of lateness.MEASURES for each partition."""
    output: DataFrame | pa.Table
    """Partial panes, rows, or events; of few records in the memory of this process."""
    changed_state: pa.Table | None
    """What of the decision's state has changed, see Decision.changed_state; None if the result has no decision."""
    bad: DataFrame | None
    """The bad records, in the columns of gate.bad_records; None if there is none."""
    has_doubtful: bool
    """Whether there were records that only the gate can judge."""


def count_records(output: DataFrame | pa.Table, count_column: str | None) -> int:
    """How many records went into the output, whose rows count some each, or are one each if `count_column` is None.
    Computes it, if it is a frame to be cached.
    """
    if isinstance(output, pa.Table):
        return int(pc.sum(output[count_column]).as_py() or 0) if count_column else len(output)
    if count_column is None:
        return output.count()
    return int(output.agg(F.sum(F.col(f"`{count_column}`"))).collect()[0][0] or 0)


def reasons_of_bad(outcomes: Iterable[Outcome]) -> str:
    """Why the records of a batch are bad of which none is good."""
    bad = reduce(DataFrame.unionByName, [outcome.bad for outcome in outcomes if outcome.bad is not None])
    counts = bad.groupBy("reason", "field").count().orderBy("reason", "field").collect()
    reasons = ", ".join(f"{row['count']:,} {row.reason}" + (f" of {row.field}" if row.field else "") for row in counts)
    return f"{NONE_GOOD} {sum(row['count'] for row in counts):,} records of the batch is good: {reasons}"
