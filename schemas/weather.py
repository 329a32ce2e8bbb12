"""The weather at New York's airports: a record is what an airport observed last, or a correction of an earlier hour."""

from pyspark.sql.types import DoubleType, StringType, StructField, StructType, TimestampType

TOPIC = "weather"
"""Name of the topic. The record key is the airport."""

COLUMNS = StructType(
    [
        StructField("origin", StringType(), False, {"comment": "The airport, IATA code."}),
        StructField("observed_time", TimestampType(), True, {"comment": "Hour from which on it was so, UTC."}),
        StructField("temperature_fahrenheit", DoubleType(), True, {"comment": "Of the air."}),
        StructField("wind_miles_per_hour", DoubleType(), True, {"comment": "Speed of the wind."}),
        StructField("visibility_miles", DoubleType(), True, {"comment": "How far one could see."}),
        StructField("rain_inches", DoubleType(), True, {"comment": "Precipitation within the hour."}),
    ]
)
"""The JSON object in the record's value. The column that is not nullable is the key."""
