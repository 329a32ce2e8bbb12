"""Readings of electricity meters, one record per meter and quarter of an hour."""

from pyspark.sql.types import LongType, StringType, StructField, StructType, TimestampType

TOPIC = "meters"
KEY = "meter"
EVENT_TIME = "measured_time"
COLUMNS = StructType(
    [
        StructField("measured_time", TimestampType(), False, {"comment": "Start of the quarter, UTC."}),
        StructField("meter", StringType(), False, {"comment": "Number of the meter."}),
        StructField("site", StringType(), False, {"comment": "Building in which it hangs."}),
        StructField("energy_wh", LongType(), False, {"comment": "Energy used in the quarter, watt hours."}),
    ]
)
