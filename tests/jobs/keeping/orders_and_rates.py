"""Orders, and rates whose changes come as Debezium writes them; a result that gives each order the rate of its time."""

from datetime import UTC, datetime
from types import SimpleNamespace

from pyspark.sql import DataFrame
from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType, TimestampType

from jobs.answers.enriched import Enriched
from jobs.answers.result import Late, Reads, Result
from jobs.answers.versions import Versions
from jobs.events.changes import debezium

START = datetime(2024, 5, 1, tzinfo=UTC)
ORDERS = SimpleNamespace(
    TOPIC="orders",
    KEY=None,
    EVENT_TIME="at",
    COLUMNS=StructType(
        [
            StructField("at", TimestampType(), False),
            StructField("money", StringType()),
            StructField("amount", LongType()),
        ]
    ),
)
RATES = SimpleNamespace(
    TOPIC="bank.public.rates",
    COLUMNS=StructType(
        [
            StructField("currency", StringType(), False),
            StructField("rate", DoubleType()),
            StructField("since", TimestampType()),
        ]
    ),
)


def _orders(events: DataFrame) -> DataFrame:
    return events.select("event_time", "record_partition", "record_offset", "money", "amount")


def _rates(events: DataFrame) -> DataFrame:
    return events


HISTORY = Versions(key=("currency",), valid_from="since").named("rates")
VALUED = Enriched("orders", HISTORY, on=("money",), take=("rate",))
RESULT = Result(
    "order_value_v1",
    (Reads(ORDERS, _orders), Reads(RATES, _rates, form=debezium.CHANGES)),
    (HISTORY, VALUED),
    late=Late("10 minutes"),
)
