"""The ledger: one row for each batch that is closed, written after its last table. Table NAME_ledger of each result.

What is in the ledger has happened; what is not in it is done again or taken back.
"""

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DoubleType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

OFFSETS = MapType(IntegerType(), LongType())
"""By partition, the offset of the next record."""

TABLE = StructType([StructField("id", StringType()), StructField("version", LongType())])
"""Which Delta table it is, and its version after the batch."""


TRANSACTIONS = StructType(
    [
        StructField("commit", LongType()),
        StructField("ended", LongType()),
        StructField("offset", LongType()),
        StructField("waiting_sequence", LongType()),
        StructField("waiting", LongType()),
    ]
)
"""Up to which commit of a database changes are published, the commit of the last transaction, and the offset of its end
in the topic; all changes up to the ledger row `waiting_sequence` are published, and so many others wait."""


POSITION = StructType(
    [
        StructField("topic_id", StringType()),
        StructField("start_offsets", OFFSETS),
        StructField("end_offsets", OFFSETS),
        StructField("stream_time", MapType(IntegerType(), TimestampType())),
    ]
)
"""How far a topic was read: as the columns of these names have it of the first topic."""


def _column(name: str, kind: object, comment: str) -> StructField:
    return StructField(name, kind, True, {"comment": comment})  # type: ignore[arg-type]


COLUMNS = StructType(
    [
        _column("sequence", LongType(), "1, 2, 3 ... without gaps; never starts again."),
        _column(
            "kind",
            StringType(),
            "start: a generation begins; batch; publish: windows only; requeue; gap: lost; widen: wider columns; "
            "complete: complete time was set by hand; deliver: what is delivered was noted.",
        ),
        _column("generation", LongType(), "Counts the checkpoints of the result; batch numbers start again in each."),
        _column("log_home", StringType(), "Where the log was read: archive or kafka."),
        _column("topic_id", StringType(), "Kafka's id of the topic; empty in the archive."),
        _column("batch_id", LongType(), "Number of the batch in its generation; -1 before the first."),
        _column("start_offsets", OFFSETS, "By partition, the first offset of the batch."),
        _column("end_offsets", OFFSETS, "By partition, the offset after the last one of the batch."),
        _column("records", LongType(), "Records read, good and bad; of a requeue, those that are good now."),
        _column(
            "quarantined", LongType(), "Records that could not be read; of a requeue, less those that left quarantine."
        ),
        _column("out_of_order", LongType(), "Records with an event time before stream time."),
        _column(
            "late", LongType(), "Records further behind stream time than the job allows; each is in NAME_stragglers."
        ),
        _column("dropped", LongType(), "Late ones that were left out, as the job says."),
        _column("lateness_p50_seconds", DoubleType(), "Half of the good records are at most this late."),
        _column("lateness_p99_seconds", DoubleType(), "99 % of the good records are at most this late."),
        _column("lateness_max_seconds", DoubleType(), "The latest record."),
        _column(
            "lateness_sketch",
            BinaryType(),
            "Logarithmic histogram of the seconds of records out of order; up to version 0.3.0 a KLL sketch (double).",
        ),
        _column("stream_time", MapType(IntegerType(), TimestampType()), "By partition, the largest event time, UTC."),
        _column("record_time", TimestampType(), "Latest record timestamp read so far, UTC."),
        _column("filter_fill", DoubleType(), "Fullest Bloom filter that the batch wrote, fraction of its bits."),
        _column("filter_false_positive_rate", DoubleType(), "Probability that a look-up is wrongly yes."),
        _column("complete_time", TimestampType(), "Every record before it that is still to come is late, UTC."),
        _column("reopened", LongType(), "1 if complete time went back: a partition woke, or got its first record."),
        _column("until_time", TimestampType(), "Complete time that a person has set by `headrace complete`, UTC."),
        _column(
            "expired_stream_time",
            TimestampType(),
            "The least stream time of all partitions when kept events were last removed, UTC.",
        ),
        _column(
            "further_topics", MapType(StringType(), POSITION), "By name, topics beside the first, if there are more."
        ),
        _column("published_sequence", LongType(), "What is published holds every batch up to this ledger row."),
        _column(
            "transactions",
            MapType(StringType(), TRANSACTIONS),
            "By topic that tells of transactions, up to where they are published, and how many changes wait.",
        ),
        _column("published_complete_time", TimestampType(), "Complete time when it was last published, UTC."),
        _column(
            "open_sequence", LongType(), "Rows are shown of events up to this ledger row that nothing decides yet."
        ),
        _column(
            "delivered_sequence",
            MapType(StringType(), LongType()),
            "By delivery, the ledger row up to which the feed is delivered.",
        ),
        _column("tables", MapType(StringType(), TABLE), "By name, the result's tables after the batch."),
        _column("definition", MapType(StringType(), StringType()), "Constants that give the numbers their meaning."),
        _column("transform", StringType(), "Fingerprint of the transform's plan under this version of Spark."),
        _column("spark_version", StringType(), "Version of Spark."),
        _column(
            "notes",
            ArrayType(StringType()),
            "What was mended before a generation started, lost and accepted, or new in the log.",
        ),
        _column("started_time", TimestampType(), "When the batch was begun, UTC."),
        _column("committed_time", TimestampType(), "When this row was written, UTC."),
    ]
)
