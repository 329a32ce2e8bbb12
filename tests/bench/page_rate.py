"""How often and how fast is each page viewed, by how many users, and how many users are new?

in    topic page_view (page_view.py)
out   table page_rate_v1: by page, windows of DEPTH by 1 minute (views, mean ms) and of 1 minute (also distinct users,
      and views by users seen before: the others are their users' first)
late  up to 30 seconds; windows are corrected
"""

import os

import page_view
from pyspark.sql import DataFrame

from jobs import run
from jobs.answers.result import Reads, Result
from jobs.answers.windows import Hopping, Tumbling, Windows
from jobs.decisions.membership import Membership
from jobs.facts.panes import Panes
from jobs.keeping import microbatch

DEPTH = os.environ.get("BENCH_DEPTH", "10 minutes")
"""Length of the hopping windows: the benchmark compares depths."""

PANES = Panes("1 minute", by=("page",), count="views", averages=("ms",), uniques=("user",), counts=("seen_before",))
WINDOWS = (Hopping(DEPTH, every="1 minute", uniques=False), Tumbling("1 minute"))
MEMBERSHIP = Membership(horizon="1 day", bucket="1 day", expected_keys=60_000, false_positive_rate=0.0001)


def transform(views: DataFrame) -> DataFrame:
    """The columns that panes and membership need."""
    return views.select("record_partition", "record_offset", "record_key", "event_time", "page", "user", "ms")


PUBLISH = os.environ.get("BENCH_PUBLISH", "1 minute")
"""How often a continuous run publishes: the benchmark of freshness compares."""

RESULT = Result(
    "page_rate_v1", Reads(page_view, transform, decide=MEMBERSHIP), Windows(PANES, *WINDOWS), publish_every=PUBLISH
)


def main(job: run.Run) -> None:
    """Read the log, bring the table up to date."""
    microbatch.keep(job, RESULT)


if __name__ == "__main__":
    run.start(main)
