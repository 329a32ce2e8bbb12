"""Lateness as a property of the log: stream time of a partition less a record's event time.

Stream time of a partition is the largest event time at any earlier offset, so which records are late does not depend
on how the log is cut into batches.
"""

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BinaryType, BooleanType, IntegerType, LongType, StructField, StructType

from jobs.events.stream_time import StreamTime
from sketches.quantiles import QuantileSketch

MEASURES = StructType(
    [
        StructField("record_partition", IntegerType(), True, {"comment": "Partition of the topic."}),
        StructField("records", LongType(), True, {"comment": "Records of the batch."}),
        StructField("quarantined", LongType(), True, {"comment": "Those that are bad."}),
        StructField("out_of_order", LongType(), True, {"comment": "Those behind stream time."}),
        StructField("late", LongType(), True, {"comment": "Those further behind than is allowed."}),
        StructField("stream_micros", LongType(), True, {"comment": "Largest event time, µs since 1970; null: none."}),
        StructField("record_micros", LongType(), True, {"comment": "Largest record timestamp, µs since 1970."}),
        StructField("lateness_sketch", BinaryType(), True, {"comment": "KLL sketch of the seconds behind, if any."}),
        StructField("in_order", BooleanType(), True, {"comment": "Whether the records came in order of offset."}),
    ]
)
"""What is measured of the records of one partition in one batch; the sketch is one of sketches/quantiles.py."""

_ARROW_MEASURES = to_arrow_schema(MEASURES, timezone="UTC")


class Lateness:
    """Follows the records of one partition, in order of offset."""

    def __init__(self, partition: int, stream_micros: int | None, allowed_seconds: int) -> None:
        """`stream_micros`: stream time before the first record, microseconds since 1970; None if there is none."""
        self._partition, self._stream = partition, StreamTime(stream_micros)
        self._allowed_micros = allowed_seconds * 1_000_000
        self._records = self._bad = self._out_of_order = self._late = 0
        self._event_micros: int | None = None
        self._record_micros = 0
        self._sketch = QuantileSketch()

    @property
    def first_offset(self) -> int:
        """Offset of the first record taken in."""
        return self._stream.first_offset

    def add(self, offsets: np.ndarray, record_micros: np.ndarray, event_micros: pa.Array) -> None:
        """Take in the next records, at least one; an event time is null for a bad one."""
        self._record_micros = max(self._record_micros, int(record_micros.max()))
        self._records += len(offsets)
        self._bad += event_micros.null_count
        times = event_micros.drop_null().to_numpy()
        behind = self._stream.follow(offsets, times)
        if not len(times):
            return
        behind = behind[behind > 0]
        self._out_of_order += len(behind)
        self._late += int((behind > self._allowed_micros).sum())
        self._sketch.add(behind / 1e6)
        self._event_micros = max(int(times.max()), self._event_micros or 0)

    def measures(self) -> dict[str, object]:
        """A row of MEASURES."""
        return {
            "record_partition": self._partition,
            "records": self._records,
            "quarantined": self._bad,
            "out_of_order": self._out_of_order,
            "late": self._late,
            "stream_micros": self._event_micros,
            "record_micros": self._record_micros,
            "lateness_sketch": self._sketch.to_bytes(),
            "in_order": self._stream.in_order,
        }


def observe(
    records: pa.RecordBatch, by_partition: dict[int, Lateness], stream_times: dict[int, int], allowed_seconds: int
) -> None:
    """Add the next records, of any partition, to the lateness of their partition; a new partition gets an entry.

    They have record_partition, record_offset, record_timestamp and event_time (null for a bad one).
    """
    partitions = records["record_partition"].to_numpy()
    for partition in np.unique(partitions).tolist():
        is_here = partitions == partition
        here = records if is_here.all() else records.filter(pa.array(is_here))
        if partition not in by_partition:
            by_partition[partition] = Lateness(partition, stream_times.get(partition), allowed_seconds)
        record_micros, event_micros = (here[name].cast(pa.int64()) for name in ("record_timestamp", "event_time"))
        by_partition[partition].add(here["record_offset"].to_numpy(), record_micros.to_numpy(), event_micros)


def summarise(decoded: DataFrame, stream_times: dict[int, int], allowed_seconds: int) -> DataFrame:
    """The columns of MEASURES for each partition of `decoded` (columns of gate.decode), whose rows may be in any order.

    `stream_times` is the stream time of each partition before these records, in microseconds since 1970. A record that
    is further behind than `allowed_seconds` is late.
    """

    def process(records: pa.Table) -> pa.Table:
        by_partition: dict[int, Lateness] = {}
        for batch in records.sort_by("record_offset").combine_chunks().to_batches():
            observe(batch, by_partition, stream_times, allowed_seconds)
        return pa.Table.from_pylist([late.measures() for late in by_partition.values()], schema=_ARROW_MEASURES)

    return (
        decoded.select("record_partition", "record_offset", "record_timestamp", "event_time")
        .groupBy("record_partition")
        .applyInArrow(process, MEASURES)
    )
