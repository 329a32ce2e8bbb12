"""Sales of a few shops, for tests: a topic whose schema file grows, and results over it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import (
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.log.archive import writer
from jobs.running.places import Places
from tests.altered import altered

START = datetime(2025, 3, 4, 8, tzinfo=UTC)
NARROW: dict[str, DataType] = {
    "at": TimestampType(),
    "shop": StringType(),
    "size": ShortType(),
    "cents": IntegerType(),
    "price": DecimalType(5, 2),
    "weight": FloatType(),
}
WIDE: dict[str, DataType] = NARROW | {
    "size": IntegerType(),
    "cents": LongType(),
    "price": DecimalType(9, 2),
    "weight": DoubleType(),
}
SALES: list[dict[str, Any]] = [
    {"shop": "a", "size": 3, "cents": 100, "price": 1.5, "weight": 0.5},
    {"shop": "a", "size": 3, "cents": 3_000_000_000, "price": 12345.67, "weight": 0.5},  # too large for int
    {"shop": "a", "size": 3, "cents": 200, "price": 2.25, "weight": 0.25},
    {"shop": "b", "size": 70_000, "cents": 7, "price": 1.0, "weight": 1.0},  # too large for smallint
    {"shop": "b", "size": 4, "cents": 8, "price": 999.99, "weight": 2.0},
    {"shop": "b", "size": 4, "cents": 9, "price": 0.01, "weight": 1e300},  # too large for float
]
"""One each minute from START on."""


def topic(kinds: dict[str, DataType], optional: tuple[str, ...] = (), **more: Any) -> Any:
    """A schema file with these columns, each described, and required unless it is `optional`."""
    columns = [StructField(n, kind, n in optional, {"comment": f"The {n}."}) for n, kind in kinds.items()]
    return SimpleNamespace(**{"TOPIC": "sales", "KEY": None, "EVENT_TIME": "at", "COLUMNS": StructType(columns)} | more)


def picked(sales: DataFrame) -> DataFrame:
    """What the panes need."""
    return sales.select("event_time", "shop", "size", "cents", "price", "weight")


RESULT = Result(
    "sales_v1",
    Reads(topic(NARROW), picked),
    Windows(Panes("15 minutes", ("shop", "size"), averages=("cents", "price", "weight")), Tumbling("1 hour")),
    late=Late("2 hours"),
)


def over(kinds: dict[str, DataType], transform: Callable[[DataFrame], DataFrame] = picked, **more: Any) -> Result:
    """RESULT over a schema file with these columns."""
    return altered(RESULT, topic=topic(kinds, **more), transform=transform)


def write(places: Places, sales: list[dict[str, Any]], first: int = 0, keys: list[bytes | None] | None = None) -> None:
    """Append sales to the log, the one at place 0 as the minute `first` after START, without keys if none are given. An
    empty sale becomes a record that is no JSON.
    """
    times = [START + timedelta(minutes=first + n) for n in range(len(sales))]
    texts = [json.dumps({"at": f"{at:%Y-%m-%dT%H:%M:%SZ}"} | one) for at, one in zip(times, sales, strict=True)]
    values = [text.encode() if one else b"garbage" for text, one in zip(texts, sales, strict=True)]
    batch = pa.record_batch(
        {
            "key": pa.array(keys or [None] * len(sales), pa.binary()),
            "value": pa.array(values, pa.binary()),
            "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )
    writer.append(places.archive, "sales", 1, [batch])
