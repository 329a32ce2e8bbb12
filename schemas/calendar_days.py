"""Days of time zones, each with the parts that a pane has, for weeks, months and years. Table NAME_calendar_days."""

from pyspark.sql.types import LongType, StringType, StructField, StructType

ZONE = "calendar_zone"
"""Column of the zone whose day it is."""


def columns(partial_panes: StructType) -> StructType:
    """The columns of the table, if partial panes have these columns: a day is a pane that starts where it does."""
    zone = StructField(ZONE, StringType(), True, {"comment": "Time zone whose day it is; pane_start says which day."})
    sequence = StructField("sequence", LongType(), True, {"comment": "Ledger row that wrote the newest of its panes."})
    # What is looked for comes first: Delta keeps statistics of the first columns of a table.
    return StructType([zone, sequence, *partial_panes.fields])
