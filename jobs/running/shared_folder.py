"""Do executors see the same folder as the driver? What they write into another one would be lost."""

import os
import uuid
from pathlib import Path

from pyspark.sql import SparkSession

from jobs.running.errors import Refused


def check_executors_see(spark: SparkSession, name: str, folder: str) -> None:
    """Raises Refused when `folder`, which the places file calls `name`, is not the same for an executor and the driver.

    Delta would commit files that are on another machine. Local mode and object storage need no check.
    """
    context = spark.sparkContext
    if str(context.master).startswith("local") or "://" in folder:
        return
    sign = Path(folder) / f".reach-{uuid.uuid4()}"
    sign.parent.mkdir(parents=True, exist_ok=True)
    sign.touch()
    try:
        tasks = 2 * context.defaultParallelism
        seen = context.parallelize([str(sign)] * tasks, tasks).map(os.path.exists).collect()
    finally:
        sign.unlink()
    if not all(seen):
        raise Refused(
            f"the executors of {context.master} do not see the folder {folder} ({name}): what they write there would "
            "be on their own machines. Name one on a file system that all machines share, or on object storage."
        )
