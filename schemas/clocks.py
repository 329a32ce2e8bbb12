"""The last offsets of each device's clock, of a result with corrected times. Table NAME_clocks."""

from pyspark.sql.types import ArrayType, IntegerType, LongType, StringType, StructField, StructType

COLUMNS = StructType(
    [
        StructField("partition", IntegerType(), True, {"comment": "Partition of the log."}),
        StructField("device", StringType(), True, {"comment": "Whose clock it is, as text."}),
        StructField(
            "offsets",
            ArrayType(LongType()),
            True,
            {"comment": "Its last offsets, received - sent, microseconds, the oldest first."},
        ),
        StructField(
            "sequence",
            LongType(),
            True,
            {"comment": "Ledger row that wrote this row; of several rows of a device the last one holds."},
        ),
    ]
)
