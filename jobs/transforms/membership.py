"""Membership: was this key seen before, within a horizon? Bloom filters by time bucket and partition of the log.

"Before" means at a lower offset of the same partition, with an event time at most the horizon older. The answers are
those of one record at a time, false positives included, however the log is cut into batches. There is no false
negative: a record that is later than allowed, whose horizon reaches back to filters that may be retired, gets null.
(Bloom: "Space/time trade-offs in hash coding with allowable errors", CACM 13(7), 1970.)
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, StructField, StructType

from jobs.transforms import durations
from schemas import filters as schema
from sketches.bloom import BloomFilter, Size, size_for


@dataclass(frozen=True)
class Membership:
    """Which keys count as seen, and how large and how wrong the filters may be."""

    horizon: str
    """How far back a sighting counts, a whole number of buckets: "30 days". Rounded out to the start of its bucket."""
    bucket: str = "1 day"
    """What one filter covers, from multiples since 1970 UTC; filters retire bucket by bucket."""
    expected_keys: int = 100_000
    """Distinct keys of a partition in a bucket. More keys raise the rate of false positives, nothing else."""
    false_positive_rate: float = 0.01
    """Probability that a key not seen is called seen, over the whole horizon, when every filter is full."""

    def __post_init__(self) -> None:
        if durations.seconds(self.horizon) % durations.seconds(self.bucket):
            raise ValueError(f"horizon {self.horizon} is not a whole number of buckets of {self.bucket}")
        self.size()

    @property
    def bucket_micros(self) -> int:
        """Length of a bucket in microseconds."""
        return durations.seconds(self.bucket) * 1_000_000

    @property
    def buckets(self) -> int:
        """Buckets of the horizon beside the one that is running."""
        return durations.seconds(self.horizon) // durations.seconds(self.bucket)

    def size(self) -> Size:
        """Size of each filter: a look-up asks every filter of the horizon, so each gets its share of the rate."""
        if not 0 < self.false_positive_rate < 1:
            raise ValueError(f"false_positive_rate {self.false_positive_rate} is not between 0 and 1")
        return size_for(self.expected_keys, 1 - (1 - self.false_positive_rate) ** (1 / (self.buckets + 1)))

    def oldest_bucket(self, stream_micros: int, allowed_seconds: int) -> int:
        """Number of the oldest bucket that a record which is not too late can still ask for."""
        return (stream_micros - allowed_seconds * 1_000_000) // self.bucket_micros - self.buckets


@dataclass(frozen=True)
class _Partition:
    """The records of one partition in one batch, in the order of their offsets."""

    hashes: np.ndarray
    event_micros: np.ndarray
    too_late: np.ndarray
    stream_micros: int

    @staticmethod
    def of(events: pa.Table, carried: int | None, allowed_seconds: int) -> "_Partition":
        micros = events["event_time"].cast(pa.int64()).to_numpy()
        before = np.empty_like(micros)
        before[0] = carried if carried is not None else micros[0]
        np.maximum.accumulate(np.maximum(micros[:-1], before[0]), out=before[1:])
        too_late = before - micros > allowed_seconds * 1_000_000
        return _Partition(events["key_hash"].to_numpy(), micros, too_late, int(max(before[-1], micros[-1])))


def _answer(
    records: _Partition, filters: dict[int, BloomFilter], membership: Membership, allowed_seconds: int
) -> tuple[np.ndarray, set[int]]:
    """For each record whether it was seen, and the buckets whose filter changed; `filters` is brought up to date.

    Buckets that are too old by the end of the batch have answered within it: their filters are not kept.
    """
    buckets = records.event_micros // membership.bucket_micros
    oldest = membership.oldest_bucket(records.stream_micros, allowed_seconds)
    place = np.arange(len(buckets))
    seen = np.zeros(len(buckets), bool)
    added = set(np.unique(buckets).tolist())
    for bucket in sorted({*filters, *added}, reverse=True):
        filter_ = filters[bucket] if bucket in filters else BloomFilter(membership.size())
        # Where the bucket has begun, who is further behind its start is too late: that need not be asked.
        begins = bucket * membership.bucket_micros - allowed_seconds * 1_000_000
        may = (buckets <= bucket + membership.buckets) & (records.event_micros >= begins)
        asks = np.flatnonzero(~seen & ~records.too_late & may)
        adds = np.flatnonzero(buckets == bucket)
        hashes = records.hashes
        seen[asks] = filter_.contains_in_order(hashes[asks], place[asks], hashes[adds], place[adds])
        filter_.add(hashes[adds])
        if bucket >= oldest:
            filters[bucket] = filter_
    return seen, {bucket for bucket in added if bucket >= oldest}


def _rate(filters: dict[int, BloomFilter], newest: int, membership: Membership) -> float:
    """Probability that a look-up now calls a key seen that was not."""
    rates = [
        filter_.current_false_positive_rate()
        for bucket, filter_ in filters.items()
        if newest - membership.buckets <= bucket <= newest
    ]
    return float(1 - np.prod([1 - rate for rate in rates]))


def _filter_rows(
    filters: dict[int, BloomFilter], changed: set[int], records: _Partition, membership: Membership
) -> list[dict[str, object]]:
    rate = _rate(filters, records.stream_micros // membership.bucket_micros, membership)
    return [
        {
            "bucket_time": bucket * membership.bucket_micros,
            "bits": filters[bucket].to_bytes(),
            "fill": filters[bucket].fill(),
            "false_positive_rate": rate,
            "stream_time": records.stream_micros,
        }
        for bucket in sorted(changed)
    ]


def mark(events: DataFrame, filters: DataFrame, membership: Membership, allowed_seconds: int) -> DataFrame:
    """`events` with `seen_before` (true, false, or null: too late to say), and the filters that changed.

    `filters` holds those before these events, in the columns of schemas/filters.py. A row has either the columns of an
    event or, in the struct `filter`, a filter: take them apart with `marked` and `changed`.
    """
    hashed = events.withColumn("key_hash", F.xxhash64("record_key"))
    output = StructType(
        [
            *(StructField(field.name, field.dataType) for field in events.schema),
            StructField("seen_before", BooleanType()),
            StructField("filter", schema.CONTENT),
        ]
    )
    names = events.columns

    def process(left: pa.Table, right: pa.Table) -> pa.Table:
        kinds = {name: left.schema.field(name).type for name in names}
        target = pa.schema([*kinds.items(), ("seen_before", pa.bool_()), ("filter", _FILTER)])
        if not left.num_rows:
            return target.empty_table()
        left = left.sort_by("record_offset")
        partition = left["record_partition"][0].as_py()
        carried = pc.max(right["stream_time"].cast(pa.int64())).as_py()
        records = _Partition.of(left, carried, allowed_seconds)
        starts = right["bucket_time"].cast(pa.int64()).to_pylist()
        known = {
            start // membership.bucket_micros: BloomFilter.from_bytes(bits)
            for start, bits in zip(starts, right["bits"].to_pylist(), strict=True)
        }
        seen, changed = _answer(records, known, membership, allowed_seconds)
        answers = pa.array(seen, mask=records.too_late)
        marked_ = left.select(names).append_column("seen_before", answers)
        marked_ = marked_.append_column("filter", pa.nulls(left.num_rows, _FILTER))
        rows = pa.array(_filter_rows(known, changed, records, membership), _FILTER)
        empty = [pa.nulls(len(rows), kind) for kind in [*kinds.values(), pa.bool_()]]
        empty[names.index("record_partition")] = pa.array([partition] * len(rows), kinds["record_partition"])
        return pa.concat_tables([marked_.cast(target), pa.Table.from_arrays([*empty, rows], schema=target)])

    groups = hashed.groupBy("record_partition").cogroup(filters.groupBy("partition"))
    return groups.applyInArrow(process, output)


_FILTER = pa.struct(
    [
        ("bucket_time", pa.timestamp("us", tz="UTC")),
        ("bits", pa.binary()),
        ("fill", pa.float64()),
        ("false_positive_rate", pa.float64()),
        ("stream_time", pa.timestamp("us", tz="UTC")),
    ]
)


def marked(rows: DataFrame) -> DataFrame:
    """The events of `mark`."""
    return rows.where(F.col("filter").isNull()).drop("filter")


def changed(rows: DataFrame) -> DataFrame:
    """The filters of `mark`: partition and the columns of schemas.filters.CONTENT."""
    return rows.where(F.col("filter").isNotNull()).select(F.col("record_partition").alias("partition"), "filter.*")
