"""The topic of two questions: logins, and whether each failed. One JSON object a record; the record key is the user."""

from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType

TOPIC = "logins"
KEY = "user"
EVENT_TIME = "ts"
EVENT_TIME_UNIT = "milliseconds"
COLUMNS = StructType(
    [
        StructField("user", StringType(), False, {"comment": "Who logged in, or could not."}),
        StructField("id", LongType(), False, {"comment": "Place in the log."}),
        StructField("ts", LongType(), False, {"comment": "When, milliseconds since 1970 UTC."}),
        StructField("failed", BooleanType(), False, {"comment": "Whether it failed."}),
    ]
)
