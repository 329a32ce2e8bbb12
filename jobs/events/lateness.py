"""Lateness as a property of the log: stream time of a partition less a record's event time.

Stream time of a partition is the largest event time at any earlier offset, so which records are late does not depend
on how the log is cut into batches.
"""

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BinaryType, BooleanType, IntegerType, LongType, StructField, StructType

from jobs.events import stragglers
from jobs.events.lateness_rule import LatenessRule
from jobs.events.stream_time import StreamTime
from sketches.quantiles import QuantileSketch

MEASURES = StructType(
    [
        StructField("record_partition", IntegerType(), True, {"comment": "Partition of the topic."}),
        StructField("records", LongType(), True, {"comment": "Records of the batch."}),
        StructField("quarantined", LongType(), True, {"comment": "Those that are bad, or too late to be taken in."}),
        StructField("out_of_order", LongType(), True, {"comment": "Those behind stream time."}),
        StructField("late", LongType(), True, {"comment": "Those further behind than is allowed."}),
        StructField("dropped", LongType(), True, {"comment": "Late ones that are left out."}),
        StructField("stragglers", BinaryType(), True, {"comment": "The late ones, see stragglers.py; null: none."}),
        StructField(
            "stream_micros", LongType(), True, {"comment": "Stream time after them, µs since 1970; null: none."}
        ),
        StructField("record_micros", LongType(), True, {"comment": "Largest record timestamp, µs since 1970."}),
        StructField("lateness_sketch", BinaryType(), True, {"comment": "Sketch of the seconds behind, if any."}),
        StructField("lateness_max_micros", LongType(), True, {"comment": "How far the latest record is behind, µs."}),
        StructField("in_order", BooleanType(), True, {"comment": "Whether the records came in order of offset."}),
    ]
)
"""What is measured of the records of one partition in one batch; the sketch is one of sketches/quantiles.py."""

_ARROW_MEASURES = to_arrow_schema(MEASURES, timezone="UTC")


class Lateness:
    """Follows the records of one partition, in order of offset."""

    def __init__(self, partition: int, stream_micros: int | None, rule: LatenessRule) -> None:
        """`stream_micros`: stream time before the first record, microseconds since 1970; None if there is none."""
        self._partition = partition
        self._stream = StreamTime(stream_micros, rule.earliest_micros, rule.expired_micros or 0)
        self._rule = rule
        self._records = self._bad = self._out_of_order = self._dropped = 0
        self._record_micros = 0
        self._late: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        """Offsets, event times and stream times of late records, block by block."""
        self._sketch = QuantileSketch()
        self._latest_micros = 0

    @property
    def first_offset(self) -> int:
        """Offset of the first record taken in."""
        return self._stream.first_offset

    @property
    def bad_records(self) -> int:
        """How many were bad, or went to quarantine for being late."""
        return self._bad

    def add(self, offsets: np.ndarray, record_micros: np.ndarray, event_micros: pa.Array) -> np.ndarray:
        """Take in the next records, at least one; an event time is null for a bad one. Returns which of them are events
        of the result: those that are good, and neither dropped nor put into quarantine for being late.
        """
        is_good: np.ndarray = event_micros.is_valid().to_numpy(zero_copy_only=False)
        clocks = self._clocks(record_micros)
        self._record_micros = max(self._record_micros, int(record_micros.max()))
        self._records += len(offsets)
        self._bad += event_micros.null_count
        times = event_micros.drop_null().to_numpy()
        behind = self._stream.follow(offsets, times, None if clocks is None else clocks[is_good])
        if clocks is not None:
            self._stream.reach(int(clocks[-1]))
        if not len(times):
            return is_good
        self._out_of_order += int((behind > 0).sum())
        if behind.max() > 0:
            self._sketch.add(behind[behind > 0] / 1e6)
            self._latest_micros = max(self._latest_micros, int(behind.max()))
        is_late = self._rule.is_late(behind, times)
        if not is_late.any():
            return is_good
        self._late.append((offsets[is_good][is_late], times[is_late], (times + behind)[is_late]))
        goes, is_dropped = self._rule.goes_to_quarantine(behind, times), self._rule.is_dropped(behind, times)
        self._bad += int(goes.sum())
        self._dropped += int(is_dropped.sum())
        is_event: np.ndarray = is_good.copy()
        is_event[is_good] = ~(goes | is_dropped)
        return is_event

    def _clocks(self, record_micros: np.ndarray) -> np.ndarray | None:
        """For each record what stream time has reached by the record timestamps up to its own; None if these do not
        count.
        """
        if self._rule.idle_seconds is None:
            return None
        latest: np.ndarray = np.maximum.accumulate(record_micros)
        clocks: np.ndarray = np.maximum(latest, self._record_micros) - self._rule.idle_seconds * 1_000_000
        return clocks

    def measures(self) -> dict[str, object]:
        """A row of MEASURES."""
        late = [np.concatenate(parts) for parts in zip(*self._late, strict=True)]
        return {
            "record_partition": self._partition,
            "records": self._records,
            "quarantined": self._bad,
            "out_of_order": self._out_of_order,
            "late": len(late[0]) if late else 0,
            "dropped": self._dropped,
            "stragglers": stragglers.to_bytes(*late) if late else None,
            "stream_micros": self._stream.micros,
            "record_micros": self._record_micros,
            "lateness_sketch": self._sketch.to_bytes(),
            "lateness_max_micros": self._latest_micros,
            "in_order": self._stream.in_order,
        }


def observe(
    records: pa.RecordBatch, by_partition: dict[int, Lateness], stream_times: dict[int, int], rule: LatenessRule
) -> np.ndarray:
    """Add the next records, of any partition, to the lateness of their partition; a new partition gets an entry.
    Returns which of them are events of the result, see Lateness.add.

    They have record_partition, record_offset, record_timestamp and event_time (null for a bad one).
    """
    partitions = records["record_partition"].to_numpy()
    is_event = np.zeros(len(partitions), bool)
    for partition in np.unique(partitions).tolist():
        is_here = partitions == partition
        here = records if is_here.all() else records.filter(pa.array(is_here))
        if partition not in by_partition:
            by_partition[partition] = Lateness(partition, stream_times.get(partition), rule)
        record_micros, event_micros = (here[name].cast(pa.int64()) for name in ("record_timestamp", "event_time"))
        numbers = (here["record_offset"].to_numpy(), record_micros.to_numpy())
        is_event[is_here] = by_partition[partition].add(*numbers, event_micros)
    return is_event


def summarise(decoded: DataFrame, stream_times: dict[int, int], rule: LatenessRule) -> DataFrame:
    """The columns of MEASURES for each partition of `decoded` (columns of gate.decode), whose rows may be in any order.

    `stream_times` is the stream time of each partition before these records, in microseconds since 1970. `rule` says
    which are late.
    """

    def process(records: pa.Table) -> pa.Table:
        by_partition: dict[int, Lateness] = {}
        for batch in records.sort_by("record_offset").combine_chunks().to_batches():
            observe(batch, by_partition, stream_times, rule)
        return pa.Table.from_pylist([late.measures() for late in by_partition.values()], schema=_ARROW_MEASURES)

    return (
        decoded.select("record_partition", "record_offset", "record_timestamp", "event_time")
        .groupBy("record_partition")
        .applyInArrow(process, MEASURES)
    )
