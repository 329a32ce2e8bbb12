"""The departures that are still to come: a record is a flight as it is planned now, null that it has left."""

from pyspark.sql.types import StringType, StructField, StructType, TimestampType

TOPIC = "scheduled"
"""Name of the topic. The record key is the flight and its day."""

COLUMNS = StructType(
    [
        StructField("flight_day", StringType(), False, {"comment": "Such as UA 1545 2013-12-31."}),
        StructField("origin", StringType(), True, {"comment": "Airport of departure, IATA code."}),
        StructField("destination", StringType(), True, {"comment": "Airport of arrival, IATA code."}),
        StructField("scheduled_time", TimestampType(), True, {"comment": "Scheduled departure, UTC."}),
        StructField(
            "tail_number", StringType(), True, {"comment": "Registration of the aircraft, if one is assigned."}
        ),
    ]
)
"""The JSON object in the record's value. The column that is not nullable is the key."""
