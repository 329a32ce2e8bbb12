"""headrace's side of the join."""

from types import SimpleNamespace

from pyspark.sql import DataFrame
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs import keeping
from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.result import Late, Reads, Result
from jobs.run import Run, start

COLUMNS = StructType(
    [
        StructField("user", StringType(), False),
        StructField("id", LongType(), False),
        StructField("ts", LongType(), False),
    ]
)
SEARCHES, CLICKS = (
    SimpleNamespace(TOPIC=topic, KEY=None, EVENT_TIME="ts", EVENT_TIME_UNIT="milliseconds", COLUMNS=COLUMNS)
    for topic in ("searches", "clicks")
)


def transform(events: DataFrame) -> DataFrame:
    """Who, when, which."""
    return events.select("event_time", "record_partition", "record_offset", "user", "id")


JOINED = Outcomes(
    SEARCHES.TOPIC, ("user",), (Then(CLICKS.TOPIC, "10 minutes", take="every", at_most=1000, name="click"),)
)
RESULT = Result(
    "joined_v1",
    (Reads(SEARCHES, transform), Reads(CLICKS, transform)),
    JOINED,
    late=Late("30 seconds"),
    facts_for="1 minute",
)


def main(run: Run) -> None:
    """Join what is in the log."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
