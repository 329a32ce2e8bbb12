"""Orders of a shop, one record per order, with all its items inside."""

from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType, TimestampType

TOPIC = "orders"
KEY = None
EVENT_TIME = "meta.placed_time"
"""A field inside of a column."""
META = StructType([StructField("placed_time", TimestampType()), StructField("channel", StringType())])
ITEM = StructType(
    [
        StructField("product", StringType()),
        StructField("quantity", LongType()),
        StructField("price_cents", LongType()),
    ]
)
COLUMNS = StructType(
    [
        StructField("meta", META, False, {"comment": "When and by which channel it was placed."}),
        StructField("items", ArrayType(ITEM), False, {"comment": "What was ordered, at the price of one, cents."}),
    ]
)
