"""The switches of names: one row for each promotion, rollback and retirement. Table _pointers beside the results.

A name points to the result of its last row. Rows are only appended, so the table is the history of all names, too.
"""

from pyspark.sql.types import IntegerType, LongType, MapType, StringType, StructField, StructType, TimestampType

OFFSETS = MapType(IntegerType(), LongType())
"""By partition, the offset after the last record."""


def _column(name: str, kind: object, comment: str) -> StructField:
    return StructField(name, kind, True, {"comment": comment})  # type: ignore[arg-type]


COLUMNS = StructType(
    [
        _column("sequence", LongType(), "1, 2, 3 ... without gaps, over all names."),
        _column("kind", StringType(), "promote; rollback: back to the result before; retire: a result is removed."),
        _column("name", StringType(), "Name that readers use; null for retire."),
        _column("from_result", StringType(), "Result that the name pointed to; null for its first switch and retire."),
        _column("to_result", StringType(), "Result that the name points to from now on; the one that is removed."),
        _column("ledger_id", StringType(), "Delta's id of the ledger of to_result: one built anew has another."),
        _column("offsets", MapType(StringType(), OFFSETS), "By topic, how far to_result was published then."),
        _column("switched_by", StringType(), "Who did it: user and machine."),
        _column("switched_time", TimestampType(), "When, UTC."),
    ]
)
