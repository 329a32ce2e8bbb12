"""Views of the pages of a newspaper, one record per view."""

from pyspark.sql.types import StringType, StructField, StructType, TimestampType

TOPIC = "page_views"
KEY = "visitor"
EVENT_TIME = "viewed_time"
ZONE = "Europe/Berlin"
"""The page's server writes times of its own zone, without saying so."""
COLUMNS = StructType(
    [
        StructField("viewed_time", TimestampType(), False, {"comment": "When it was viewed."}),
        StructField("visitor", StringType(), False, {"comment": "Who viewed it, by a cookie."}),
        StructField("country", StringType(), True, {"comment": "Where from, ISO 3166; null: not known."}),
    ]
)
