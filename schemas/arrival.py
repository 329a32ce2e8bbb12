"""Arrivals, at other airports, of the flights from New York, one record per aircraft that landed."""

from pyspark.sql.types import IntegerType, StringType, StructField, StructType, TimestampType

TOPIC = "arrivals"
"""Name of the topic."""

KEY = "tail_number"
"""What the record key holds: records of one aircraft are in one partition, in the order in which it arrived."""

EVENT_TIME = "arrival_time"
"""The column that says when it happened. The record's own timestamp is the same."""

COLUMNS = StructType(
    [
        StructField("arrival_time", TimestampType(), False, {"comment": "Actual arrival, UTC."}),
        StructField("origin", StringType(), False, {"comment": "Airport of departure, IATA code."}),
        StructField("destination", StringType(), False, {"comment": "Airport of arrival, IATA code."}),
        StructField("carrier", StringType(), False, {"comment": "Airline, two-letter IATA code."}),
        StructField("flight", IntegerType(), False, {"comment": "Flight number of the airline."}),
        StructField("tail_number", StringType(), False, {"comment": "Registration of the aircraft."}),
        StructField("delay_minutes", IntegerType(), True, {"comment": "Actual less scheduled arrival, minutes."}),
    ]
)
"""The JSON object in the record's value. A column that is not nullable must be there; unknown fields are ignored."""
