"""Was this aircraft seen in the last 30 days?

in    topic departures (schemas/departure.py)
out   table first_sighting_v1: one row for each departure, with `seen_before`: whether a departure of the same aircraft,
      scheduled in the same 30 days, stands earlier in the log. Never wrongly false; wrongly true for 1 % at most of
      those not seen. Bloom filters by day in first_sighting_v1_filters, their fill in the ledger
late  more than LATENESS behind, `seen_before` is null: the filters that it would need may be gone. The row is kept
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.decisions.membership import Membership
from jobs.run import Run, start
from schemas import departure

MEMBERSHIP = Membership(horizon="30 days", bucket="1 day", expected_keys=500, false_positive_rate=0.01)
BATCH = 100_000
LATENESS = "2 days"
COLUMNS = ("record_partition", "record_offset", "record_key", "event_time", "origin", "tail_number")


def transform(departures: DataFrame) -> DataFrame:
    """Where each departure stands in the log, and what leaves."""
    return departures.select(*COLUMNS)


RESULT = Result(
    "first_sighting_v1",
    Reads(departure, transform, decide=MEMBERSHIP),
    late=Late(LATENESS),
    max_records_per_batch=BATCH,
)


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
