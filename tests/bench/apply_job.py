"""headrace's side of apply_changes.py."""

from types import SimpleNamespace

from pyspark.sql import DataFrame
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs import keeping
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.events.changes.keyed_rows import ROWS
from jobs.run import Run, start

CUSTOMERS = SimpleNamespace(
    TOPIC="customers",
    COLUMNS=StructType(
        [
            StructField("id", LongType(), False),
            StructField("name", StringType()),
            StructField("credit", LongType()),
            StructField("number", LongType()),
        ]
    ),
)


def columns(changes: DataFrame) -> DataFrame:
    """All of them."""
    return changes


RESULT = Result("customer_v1", Reads(CUSTOMERS, columns, form=ROWS), Latest(key=("id",)))


def main(run: Run) -> None:
    """Bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
