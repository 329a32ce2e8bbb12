"""Which part of the requests fails, by the service and five minutes, and how long do they take?

in    topic requests (docs/gallery/schemas/request.py)
out   table error_rate_v1: a row for each five minutes and service, with the number of requests, that of those that
      failed, and the 95th percentile of the duration in milliseconds. The rate is is_error_count / requests
late  a request that comes late is counted, and its five minutes are corrected
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import keeping
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
from schemas import request

PANES = Panes(
    every="1 minute",
    by=("service",),
    count="requests",
    counts=("is_error",),
    percentiles={"duration_ms": (0.95,)},
)
WINDOWS = Windows(PANES, Tumbling("5 minutes"))


def transform(requests: DataFrame) -> DataFrame:
    """A request has failed if its status is 500 or more."""
    is_error = (F.col("status") >= 500).alias("is_error")
    return requests.select("event_time", "service", "duration_ms", is_error)


RESULT = Result("error_rate_v1", Reads(request, transform), WINDOWS, late=Late("2 minutes"))


def main(run: Run) -> None:
    """Read the log, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
