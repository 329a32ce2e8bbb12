"""headrace's side of the enrichment."""

from types import SimpleNamespace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType, TimestampType

from jobs import keeping
from jobs.answers.enriched import Enriched
from jobs.answers.result import Late, Reads, Result
from jobs.answers.versions import Versions
from jobs.events.changes.keyed_rows import ROWS
from jobs.run import Run, start

USER = StructField("user", StringType(), False)
ORDERS = SimpleNamespace(
    TOPIC="orders",
    KEY=None,
    EVENT_TIME="ts",
    EVENT_TIME_UNIT="milliseconds",
    COLUMNS=StructType([USER, StructField("id", LongType(), False), StructField("ts", LongType(), False)]),
)
VERSIONS = SimpleNamespace(
    TOPIC="versions",
    COLUMNS=StructType([USER, StructField("id", LongType()), StructField("valid_time", TimestampType())]),
)
HISTORY = Versions(key=("user",), valid_from="valid_time").named("history")


def orders(events: DataFrame) -> DataFrame:
    """Who, when, which."""
    return events.select("event_time", "record_partition", "record_offset", "user", F.col("id").alias("number"))


def versions(changes: DataFrame) -> DataFrame:
    """All columns."""
    return changes


RESULT = Result(
    "enriched_v1",
    (Reads(ORDERS, orders), Reads(VERSIONS, versions, form=ROWS)),
    (HISTORY, Enriched(ORDERS.TOPIC, HISTORY, on=("user",), take=("id",), restate="1 hour")),
    late=Late("30 seconds"),
)


def main(run: Run) -> None:
    """Enrich what is in the log."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
