"""Clicks on the pages of a shop, one record per click."""

from pyspark.sql.types import StringType, StructField, StructType, TimestampType

TOPIC = "clicks"
KEY = "visitor"
EVENT_TIME = "clicked_time"
COLUMNS = StructType(
    [
        StructField("clicked_time", TimestampType(), False, {"comment": "When it was clicked, UTC."}),
        StructField("visitor", StringType(), False, {"comment": "Who clicked, by a cookie."}),
        StructField("page", StringType(), False, {"comment": "Path of the page."}),
    ]
)
