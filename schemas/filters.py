"""Bloom filters of a result with membership, one for each partition of the log and time bucket. Table NAME_filters."""

from pyspark.sql.types import BinaryType, DoubleType, IntegerType, LongType, StructField, StructType, TimestampType

PARTITIONED_BY = ("bucket_time", "partition")
"""Columns that are folders of the table: a batch replaces only the filters that it changed."""

CONTENT = StructType(
    [
        StructField("bucket_time", TimestampType(), True, {"comment": "Start of what the filter covers, UTC."}),
        StructField("bits", BinaryType(), True, {"comment": "The filter, as sketches/bloom.py writes it."}),
        StructField("fill", DoubleType(), True, {"comment": "Fraction of the bits that are set; 0.5 at capacity."}),
        StructField(
            "false_positive_rate",
            DoubleType(),
            True,
            {"comment": "Probability that a look-up over the horizon was wrongly yes, after the batch."},
        ),
        StructField("stream_time", TimestampType(), True, {"comment": "Largest event time in the partition, UTC."}),
    ]
)
"""What a filter holds."""

COLUMNS = StructType(
    [
        StructField("partition", IntegerType(), True, {"comment": "Partition of the log."}),
        *CONTENT.fields,
        StructField("sequence", LongType(), True, {"comment": "Ledger row that wrote the filter."}),
    ]
)
