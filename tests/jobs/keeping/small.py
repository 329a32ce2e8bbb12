"""A small result: one window for each hour and site. Its log has eighteen records, of which `made` has read nine."""

from pathlib import Path

from pyspark.sql import SparkSession

from jobs import run
from jobs.answers.windows import Tumbling
from jobs.facts.panes import Panes
from jobs.keeping import microbatch
from jobs.log.archive import writer
from tests import delta
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.world import places_in

LOG = readings.log(each=6)
RESULT = altered(
    readings.PANES,
    name="small_v1",
    panes=Panes("1 hour", ("site",), averages=("reading",)),
    windows=(Tumbling("1 hour"),),
    max_records_per_batch=6,
)


def keep(spark: SparkSession, folder: Path) -> list[str]:
    """One run; what it said."""
    said: list[str] = []
    microbatch.keep(run.Run(spark, places_in(folder), say=said.append), RESULT)
    return said


def made(spark: SparkSession, folder: Path) -> Path:
    """The folder of a result that has read the first half of its log, in two batches."""
    writer.append(f"{folder}/archive", "readings", readings.PARTITIONS, [readings.batch(LOG[:9])])
    keep(spark, folder)
    return folder


def counted(folder: Path) -> dict[tuple[object, object], int]:
    rows = delta.rows(f"{folder}/tables/small_v1")
    return {(row["window_start"], row["site"]): row["records"] for row in rows}


def expected(records: list[readings.Record]) -> dict[tuple[object, object], int]:
    """What `counted` must say."""
    return {
        (start, site): facts["records"]
        for (window, start, _, site), facts in readings.windows(records).items()
        if window == "tumbling 1 hour"
    }
