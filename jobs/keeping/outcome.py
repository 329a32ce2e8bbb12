"""What the records of a batch come to, by either pass."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.facts.kept_events import PLACE
from jobs.running.errors import Mistake
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


def check_places(topic: str, *outputs: DataFrame | pa.Table) -> None:
    """Raises Mistake if two rows are of the same record, so that a receiver could not tell them apart."""
    for output in outputs:
        if isinstance(output, pa.Table):
            places = output.select(PLACE).group_by(PLACE).aggregate([([], "count_all")])
            shared = places.filter(pc.greater(places["count_all"], 1)).select(PLACE).slice(0, 1).to_pylist()
        else:
            shared = [row.asDict() for row in output.groupBy(*PLACE).count().where("count > 1").limit(1).collect()]
        for place in shared:
            raise Mistake(
                f"the transform of topic {topic} makes several rows of one record (explode, or a join), such as of "
                f"partition {place[PLACE[0]]}, offset {place[PLACE[1]]}: what is delivered could not be told apart. "
                "Let it make one row of a record, or leave deliver out."
            )


def reasons_of_bad(outcomes: Iterable[Outcome]) -> str:
    """Why the records of a batch are bad of which none is good."""
    bad = reduce(DataFrame.unionByName, [outcome.bad for outcome in outcomes if outcome.bad is not None])
    counts = bad.groupBy("reason", "field").count().orderBy("reason", "field").collect()
    reasons = ", ".join(f"{row['count']:,} {row.reason}" + (f" of {row.field}" if row.field else "") for row in counts)
    return f"{NONE_GOOD} {sum(row['count'] for row in counts):,} records of the batch is good: {reasons}"
