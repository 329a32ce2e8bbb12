"""Departures of aircraft from the airports of New York, one record per aircraft that left."""

from pyspark.sql.types import DoubleType, IntegerType, StringType, StructField, StructType, TimestampType

TOPIC = "departures"
"""Name of the topic."""

KEY = "tail_number"
"""What the record key holds: records of one aircraft are in one partition, in the order in which it left."""

EVENT_TIME = "scheduled_departure_time"
"""The column that says when it should have happened. The record's own timestamp is the actual departure."""

COLUMNS = StructType(
    [
        StructField("scheduled_departure_time", TimestampType(), False, {"comment": "Scheduled departure, UTC."}),
        StructField("origin", StringType(), False, {"comment": "Airport of departure, IATA code."}),
        StructField("destination", StringType(), False, {"comment": "Airport of arrival, IATA code."}),
        StructField("carrier", StringType(), False, {"comment": "Airline, two-letter IATA code."}),
        StructField("flight", IntegerType(), False, {"comment": "Flight number of the airline."}),
        StructField("tail_number", StringType(), False, {"comment": "Registration of the aircraft."}),
        StructField("delay_minutes", IntegerType(), False, {"comment": "Actual less scheduled departure, minutes."}),
        StructField("distance_miles", DoubleType(), True, {"comment": "Distance flown, statute miles."}),
    ]
)
"""The JSON object in the record's value. A column that is not nullable must be there; unknown fields are ignored."""
