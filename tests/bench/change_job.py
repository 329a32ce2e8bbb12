"""The job of change_age.py: the latest row of each account."""

from types import SimpleNamespace

from pyspark.sql import DataFrame
from pyspark.sql.types import LongType, StructField, StructType, TimestampType

from jobs import keeping
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.events.changes import debezium
from jobs.run import Run, start

ACCOUNTS = SimpleNamespace(
    TOPIC="load.public.accounts",
    COLUMNS=StructType(
        [
            StructField("id", LongType(), False),
            StructField("balance", LongType(), True),
            StructField("changed", TimestampType(), True),
        ]
    ),
)


def columns(changes: DataFrame) -> DataFrame:
    """All columns."""
    return changes


RESULT = Result(
    "account_v1",
    Reads(ACCOUNTS, columns, form=debezium.CHANGES),
    Latest(key=("id",)),
    publish_every="1 second",
)


def main(run: Run) -> None:
    """Follow the changes."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
