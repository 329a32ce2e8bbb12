"""The aircraft that flew from New York: a record is the row of one aircraft as it is now, a null its deletion."""

from pyspark.sql.types import IntegerType, StringType, StructField, StructType

TOPIC = "aircraft"
"""Name of the topic. The record key is the tail number, so all rows of one aircraft are in one partition."""

COLUMNS = StructType(
    [
        StructField("tail_number", StringType(), False, {"comment": "Registration of the aircraft."}),
        StructField("year_built", IntegerType(), True, {"comment": "Year in which it was built, if that is known."}),
        StructField("manufacturer", StringType(), True, {"comment": "Who built it."}),
        StructField("model", StringType(), True, {"comment": "What the manufacturer calls it."}),
        StructField("seats", IntegerType(), True, {"comment": "How many seats it has."}),
    ]
)
"""The JSON object in the record's value. The column that is not nullable is the key."""
