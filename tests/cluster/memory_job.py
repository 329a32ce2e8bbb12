"""A process that keeps a result in so much memory of Java's. Arguments: places file; heap, such as 512m."""

import sys
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import run
from jobs.keeping import microbatch
from tests.altered import altered
from tests.jobs.keeping import readings

ROOT = Path(__file__).parent.parent.parent
COPIES = 60_000_000
"""Of the name of a site, which make 300 MB."""


def transform(events: DataFrame) -> DataFrame:
    """As that of readings, with a text in memory for which a heap of half a gigabyte has no room."""
    return readings.transform(events.where(F.length(F.repeat(events.site, COPIES)) > COPIES))


RESULT = altered(readings.PANES, name="hungry_v1", transform=transform)


def main(places_file: str, heap: str) -> None:
    """Keep the result to the end of the log."""
    with run.one_line_errors():
        spark = run.session(run.profile(ROOT / "conf" / run.LOCAL_PROFILE) | {"spark.driver.memory": heap})
        microbatch.keep(run.Run(spark, run.places(Path(places_file))), RESULT)


if __name__ == "__main__":
    main(*sys.argv[1:])
