"""Stragglers: late records, a row each, whatever became of them. Table NAME_stragglers of each result."""

from pyspark.sql.types import (
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

COLUMNS = StructType(
    [
        StructField("topic", StringType(), True, {"comment": "Topic of the record."}),
        StructField("partition", IntegerType(), True, {"comment": "Partition of the topic."}),
        StructField("offset", LongType(), True, {"comment": "Offset in the partition."}),
        StructField("event_time", TimestampType(), True, {"comment": "When it happened, UTC."}),
        StructField("stream_time", TimestampType(), True, {"comment": "Stream time at its offset, UTC."}),
        StructField("lateness_seconds", DoubleType(), True, {"comment": "Stream time less event time."}),
        StructField("done", StringType(), True, {"comment": "corrected, quarantined or dropped."}),
        StructField("sequence", LongType(), True, {"comment": "Ledger row that wrote this row."}),
    ]
)
