"""A query that has ended can be thrown away: a notebook, or a test session, may run hundreds of them."""

import gc
from pathlib import Path

from pyspark.sql import SparkSession

from jobs.keeping.ledger_writer import LedgerWriter
from tests.jobs.keeping import small


def test_a_run_keeps_no_hold_of_its_query(spark: SparkSession, tmp_path: Path) -> None:
    """Java's query holds the Python object whose batches it calls, so that one must not hold the query."""
    small.made(spark, tmp_path)
    writers = [one for one in gc.get_objects() if type(one) is LedgerWriter]
    assert writers and all(one.query is None for one in writers)
