"""The benchmark's topic: page views, one JSON object a record; the record key is the user."""

import os

from pyspark.sql.types import IntegerType, LongType, StringType, StructField, StructType

TOPIC = os.environ.get("BENCH_TOPIC", "page_view")
"""The benchmark has a topic for each size in Kafka."""
KEY = "user"
EVENT_TIME = "ts"
COLUMNS = StructType(
    [
        StructField("user", StringType(), False, {"comment": "Who viewed."}),
        StructField("page", StringType(), False, {"comment": "What was viewed."}),
        StructField("ms", IntegerType(), False, {"comment": "Time to load, milliseconds."}),
        StructField("ts", LongType(), False, {"comment": "When, milliseconds since 1970 UTC."}),
    ]
)
