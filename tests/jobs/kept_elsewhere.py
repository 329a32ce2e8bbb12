"""Keeps the windows of readings.py as a program of its own: python kept_elsewhere.py PLACES PROFILE.

The records that are in the log in small writes; then the others, which it appends, in writes that Spark does.
"""

import sys
from dataclasses import replace
from pathlib import Path

from jobs import run
from jobs.sinks import archive, microbatch, passes, recent, tables
from jobs.sources import log
from tests.jobs.sinks import readings

LOG = readings.log()
FIRST = 24
"""Records that are in the log already."""


def main() -> None:
    """Keep them."""
    with run.one_line_errors():
        where = run.places(Path(sys.argv[1]))
        job = run.Run(run.session(run.profile(Path(sys.argv[2]))), where)
        result = replace(readings.PANES, max_records_per_batch=30)
        microbatch.keep(job, result, log)
        archive.append(where.archive, "readings", readings.PARTITIONS, [readings.batch(LOG[FIRST:])])
        recent.MOST_PANES = tables.SMALL_BYTES = passes.FEW_RECORDS = -1
        microbatch.keep(job, result, log)


if __name__ == "__main__":
    main()
