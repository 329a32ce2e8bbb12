"""Whether executors see the folder of tables that the driver sees: what they write elsewhere would be lost."""

import os
import uuid
from pathlib import Path

from pyspark.sql import SparkSession

from jobs.run import Places, Refused


def check(spark: SparkSession, places: Places) -> None:
    """Raises Refused when the tables are in a folder that some executor does not share with the driver.

    Delta would commit files that are on another machine. Nothing is asked in local mode, and of object storage.
    """
    context = spark.sparkContext
    if str(context.master).startswith("local") or "://" in places.tables:
        return
    sign = Path(places.tables) / f".reach-{uuid.uuid4()}"
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.touch()
    try:
        tasks = 2 * context.defaultParallelism
        seen = context.parallelize([str(sign)] * tasks, tasks).map(os.path.exists).collect()
    finally:
        sign.unlink()
    if not all(seen):
        raise Refused(
            f"the executors of {context.master} do not see the folder of tables {places.tables}: what they "
            "write there would be on their own machines. Put the tables on a file system that all machines share, or "
            "on object storage."
        )
