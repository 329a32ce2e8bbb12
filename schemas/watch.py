"""Rules that people store about departures: a record is a rule as it is from then on, null that it was deleted."""

from pyspark.sql.types import StringType, StructField, StructType

TOPIC = "watches"
"""Name of the topic. The record key is the name of the rule."""

COLUMNS = StructType(
    [
        StructField("watch", StringType(), False, {"comment": "Name of the rule."}),
        StructField("owner", StringType(), True, {"comment": "Whose rule it is."}),
        StructField("predicate", StringType(), True, {"comment": "Which departures meet it; see docs/rules.md."}),
    ]
)
"""The JSON object in the record's value. The column that is not nullable is the key."""
