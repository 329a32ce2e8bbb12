"""Lateness as a property of the log: stream time of a partition less a record's event time.

Stream time of a partition is the largest event time at any earlier offset, so who is late does not depend on how the
log is cut into batches.
"""

import numpy as np
import pyarrow as pa
from datasketches import kll_doubles_sketch
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BinaryType, BooleanType, IntegerType, LongType, StructField, StructType

FACTS = StructType(
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
"""What there is to say of the records of one partition in one batch.

The sketch is that of the out-of-order records, in seconds; normalised rank error about 1.3 % (Karnin, Lang, Liberty:
"Optimal quantile approximation in streams", FOCS 2016).
"""

_ARROW_FACTS = to_arrow_schema(FACTS, timezone="UTC")


class Lateness:
    """Follows the records of one partition, in order of offset."""

    def __init__(self, partition: int, stream_micros: int | None, allowed_seconds: int) -> None:
        """`stream_micros`: stream time before the first record, microseconds since 1970; None if there is none."""
        self._partition, self._stream_micros = partition, stream_micros
        self._allowed_micros = allowed_seconds * 1_000_000
        self._records = self._bad = self._out_of_order = self._late = 0
        self._event_micros: int | None = None
        self.first_offset = -1
        """Of the first record taken in."""
        self._record_micros, self._last_offset, self._in_order = 0, -1, True
        self._sketch = kll_doubles_sketch()

    def add(self, offsets: np.ndarray, record_micros: np.ndarray, event_micros: pa.Array) -> None:
        """Take in the next records, at least one; an event time is null for a bad one."""
        if self._last_offset < 0:
            self.first_offset = int(offsets[0])
        self._in_order &= bool(offsets[0] > self._last_offset and (offsets[1:] > offsets[:-1]).all())
        self._last_offset = int(offsets[-1])
        self._record_micros = max(self._record_micros, int(record_micros.max()))
        self._records += len(offsets)
        self._bad += event_micros.null_count
        times = event_micros.drop_null().to_numpy()
        if not len(times):
            return
        stream = times[0] if self._stream_micros is None else self._stream_micros
        before = np.maximum.accumulate(np.concatenate([[stream], times]))
        behind = before[:-1] - times
        behind = behind[behind > 0]
        self._out_of_order += len(behind)
        self._late += int((behind > self._allowed_micros).sum())
        self._sketch.update(behind / 1e6)
        self._stream_micros = int(before[-1])
        self._event_micros = max(int(times.max()), self._event_micros or 0)

    def facts(self) -> dict[str, object]:
        """A row of FACTS."""
        return {
            "record_partition": self._partition,
            "records": self._records,
            "quarantined": self._bad,
            "out_of_order": self._out_of_order,
            "late": self._late,
            "stream_micros": self._event_micros,
            "record_micros": self._record_micros,
            "lateness_sketch": self._sketch.serialize() if self._out_of_order else None,
            "in_order": self._in_order,
        }


def observe(
    records: pa.RecordBatch, seen: dict[int, Lateness], stream_times: dict[int, int], allowed_seconds: int
) -> None:
    """Take the next records, of any partition, into `seen`, which is by partition.

    They have record_partition, record_offset, record_timestamp and event_time (null for a bad one).
    """
    partitions = records["record_partition"].to_numpy()
    for partition in np.unique(partitions).tolist():
        mine = records if (partitions == partition).all() else records.filter(pa.array(partitions == partition))
        if partition not in seen:
            seen[partition] = Lateness(partition, stream_times.get(partition), allowed_seconds)
        times = [mine[name].cast(pa.int64()) for name in ("record_timestamp", "event_time")]
        seen[partition].add(mine["record_offset"].to_numpy(), times[0].to_numpy(), times[1])


def summarise(decoded: DataFrame, stream_times: dict[int, int], allowed_seconds: int) -> DataFrame:
    """The columns of FACTS for each partition of `decoded` (columns of gate.decode), whose rows may be in any order.

    `stream_times` is the stream time of each partition before these records, in microseconds since 1970. A record that
    is further behind than `allowed_seconds` is late.
    """

    def process(records: pa.Table) -> pa.Table:
        seen: dict[int, Lateness] = {}
        for batch in records.sort_by("record_offset").combine_chunks().to_batches():
            observe(batch, seen, stream_times, allowed_seconds)
        return pa.Table.from_pylist([late.facts() for late in seen.values()], schema=_ARROW_FACTS)

    return (
        decoded.select("record_partition", "record_offset", "record_timestamp", "event_time")
        .groupBy("record_partition")
        .applyInArrow(process, FACTS)
    )
