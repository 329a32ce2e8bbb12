"""The archive: the records of every topic, in the columns of Spark's Kafka source.

One Delta table, partitioned by topic and partition. Within a partition each offset stands once, and
offsets never change; a file holds one partition in the order of its offsets.
"""

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

PARTITIONED_BY = ("topic", "partition")
"""Columns that are folders of the table."""

HEADER = StructType([StructField("key", StringType()), StructField("value", BinaryType())])
"""One header of a record."""

COLUMNS = StructType(
    [
        StructField("key", BinaryType(), True, {"comment": "Record key, bytes; null if the record has none."}),
        StructField("value", BinaryType(), True, {"comment": "Record value, bytes; null is a tombstone."}),
        StructField("topic", StringType(), False, {"comment": "Topic of the record."}),
        StructField("partition", IntegerType(), False, {"comment": "Partition of the topic, from 0."}),
        StructField("offset", LongType(), False, {"comment": "Place in the partition, from 0, without doubles."}),
        StructField("timestamp", TimestampType(), False, {"comment": "Record timestamp, UTC."}),
        StructField("timestampType", IntegerType(), False, {"comment": "0: set by the producer, 1: by the log."}),
        StructField("headers", ArrayType(HEADER), True, {"comment": "Record headers; null if there are none."}),
    ]
)
"""Columns in the order of Spark's Kafka source."""
