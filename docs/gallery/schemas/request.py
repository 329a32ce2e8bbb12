"""Requests that a service has answered, one record per request."""

from pyspark.sql.types import IntegerType, LongType, StringType, StructField, StructType

TOPIC = "requests"
KEY = None
EVENT_TIME = "answered_ms"
EVENT_TIME_UNIT = "milliseconds"
COLUMNS = StructType(
    [
        StructField("answered_ms", LongType(), False, {"comment": "When it was answered, milliseconds since 1970."}),
        StructField("service", StringType(), False, {"comment": "Which service."}),
        StructField("status", IntegerType(), False, {"comment": "Status of HTTP."}),
        StructField("duration_ms", IntegerType(), True, {"comment": "How long it took; null: broken off."}),
    ]
)
