"""The daemon that forks Spark's Python workers on one machine: it imports what they need once, and they share it.

`spark.python.daemon.module` in conf/spark-local.conf names this module.
"""

import gc
import importlib
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.running import project
from jobs.running.late_pandas import import_pandas_late

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MODULE = "jobs.running.worker_daemon"
LIBRARIES = ("pyspark.worker", "pyspark.sql.datasource", "pyarrow.json", "pyarrow.parquet", "datasketches")
"""Modules that most workers import. None of the project itself: a job may come with packages of its own."""


def show_project(spark: "SparkSession") -> None:
    """Have Spark start the daemon with the packages that this process has imported, and those of the project at work,
    before the first worker starts.
    """
    context = spark.sparkContext
    if context.getConf().get("spark.python.daemon.module") != MODULE:
        return
    root = str(Path(__file__).parents[2])
    if os.pathsep in root:  # it would end the path there
        root = os.path.relpath(root)
    given = context.environment.get("PYTHONPATH")
    rest = [] if given is None else [path for path in given.split(os.pathsep) if path != root]
    own = str(project.folder())
    last = [] if own in (root, *rest) or os.pathsep in own else [own]
    context.environment["PYTHONPATH"] = os.pathsep.join([root, *rest, *last])


def import_libraries(libraries: Iterable[str] = LIBRARIES) -> None:
    """Import what processes need that are forked. They meet and explain the error of a library that is missing."""
    import_pandas_late()
    for library in libraries:
        with suppress(ImportError):
            importlib.import_module(library)
    gc.collect()
    gc.freeze()  # their collector would touch, and so copy, what they share


if __name__ == "__main__":
    from pyspark.daemon import manager

    if "pyspark.worker" in sys.argv:  # a planner of a data source needs little of it
        import_libraries()
    manager()
