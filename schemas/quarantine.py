"""Quarantine: records that a job could not read, whole, with the reason. Table NAME_quarantine of each result."""

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

HEADER = StructType([StructField("key", StringType()), StructField("value", BinaryType())])
"""One header of a record."""

COLUMNS = StructType(
    [
        StructField("topic", StringType(), True, {"comment": "Topic of the record."}),
        StructField("partition", IntegerType(), True, {"comment": "Partition of the topic."}),
        StructField("offset", LongType(), True, {"comment": "Offset in the partition."}),
        StructField("timestamp", TimestampType(), True, {"comment": "Record timestamp, UTC."}),
        StructField("timestampType", IntegerType(), True, {"comment": "0: set by the producer, 1: by the log."}),
        StructField("key", BinaryType(), True, {"comment": "Record key as it came."}),
        StructField("value", BinaryType(), True, {"comment": "Record value as it came."}),
        StructField("headers", ArrayType(HEADER), True, {"comment": "Record headers as they came."}),
        StructField("reason", StringType(), True, {"comment": "Why it could not be read; jobs/events/gate.py."}),
        StructField("field", StringType(), True, {"comment": "Field that is wrong; null if it is none in particular."}),
        StructField("sequence", LongType(), True, {"comment": "Ledger row that put the record here."}),
        StructField("requeued_sequence", LongType(), True, {"comment": "Ledger row that read it again, if any."}),
    ]
)
