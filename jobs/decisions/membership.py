"""Membership: was this key seen before, within a horizon? Bloom filters by time bucket and partition of the log.

"Before" means at a lower offset of the same partition, with an event time at most the horizon older. The answers are
those of one record at a time, false positives included, however the log is cut into batches. There is no false
negative: a record that is later than allowed gets null, as its horizon goes back to filters that may be retired. So
does a record without a key: there is nothing to ask for, and nothing is learned.
(Bloom: "Space/time trade-offs in hash coding with allowable errors", CACM 13(7), 1970.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BooleanType, LongType, StructField, StructType

from jobs.events import task_facts
from jobs.events.arrow_step import ArrowStep
from jobs.events.stream_time import StreamTime
from jobs.events.task_facts import FactAccumulator, Facts
from jobs.running import durations
from jobs.running.errors import Mistake
from jobs.running.instants import to_micros
from schemas import filters as filters_schema
from sketches.bloom import BloomFilter, Size, size_for

HASH = StructField("__key_hash", LongType())
"""The column that `with_key_hash` adds."""


@dataclass(frozen=True)
class Membership:
    """Which keys count as seen, and how large and how wrong the filters may be."""

    horizon: str
    """How far back a sighting counts, a whole number of buckets: "30 days". It reaches to the start of a bucket."""
    bucket: str = "1 day"
    """What one filter covers, from multiples since 1970 UTC; filters retire bucket by bucket."""
    expected_keys: int = 100_000
    """Distinct keys of a partition in a bucket. More keys raise the rate of false positives, nothing else."""
    false_positive_rate: float = 0.01
    """Probability that a key that was not seen is called seen, over the whole horizon, when every filter is full."""

    def __post_init__(self) -> None:
        if durations.seconds(self.horizon) % durations.seconds(self.bucket):
            raise Mistake(f"horizon {self.horizon} is not a whole number of buckets of {self.bucket}")
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
            raise Mistake(f"false_positive_rate {self.false_positive_rate} is not between 0 and 1")
        return size_for(self.expected_keys, 1 - (1 - self.false_positive_rate) ** (1 / (self.buckets + 1)))

    def oldest_bucket(self, stream_micros: int, allowed_seconds: int) -> int:
        """Number of the oldest bucket that a record can still ask for without being too late."""
        return (stream_micros - allowed_seconds * 1_000_000) // self.bucket_micros - self.buckets


class SightingTracker:
    """Answers for the records of one partition, in order of offset, and learns their keys."""

    def __init__(self, membership: Membership, allowed_seconds: int, before: list[dict[str, Any]]) -> None:
        """`before`: the partition's filters before the first record, in the columns of schemas/filters.py."""
        self._membership = membership
        self._allowed_seconds = allowed_seconds
        self._stream = StreamTime(max((to_micros(row["stream_time"]) for row in before), default=None))
        length = membership.bucket_micros
        self._filters = {to_micros(row["bucket_time"]) // length: BloomFilter.from_bytes(row["bits"]) for row in before}
        self._changed: set[int] = set()
        self._records = 0

    @property
    def first_offset(self) -> int:
        """Offset of the first record; -1 before it."""
        return self._stream.first_offset

    def ask(
        self, offsets: np.ndarray, event_micros: np.ndarray, hashes: np.ndarray, keyed: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """For each of the next records, at least one: whether its key was seen, and whether that cannot be said, as it
        is too late or has no key.
        """
        self._records += len(offsets)
        too_late = self._stream.follow(offsets, event_micros) > self._allowed_seconds * 1_000_000
        return self._ask_filters(event_micros, hashes, too_late, keyed), too_late | ~keyed

    def _ask_filters(
        self, event_micros: np.ndarray, hashes: np.ndarray, too_late: np.ndarray, keyed: np.ndarray
    ) -> np.ndarray:
        """Whether each was seen. Filters that nobody can ask for any more at the end are dropped.

        A record without a key leaves the bits of its bucket's filter as they are, but the filter gets the stream time
        after the record.
        """
        membership, place = self._membership, np.arange(len(hashes))
        buckets = event_micros // membership.bucket_micros
        seen = np.zeros(len(hashes), bool)
        added = set(np.unique(buckets).tolist())
        for bucket in sorted({*self._filters, *added}, reverse=True):
            filter_ = self._filters.setdefault(bucket, BloomFilter(membership.size()))
            # Once the bucket has begun, a record further behind its start than is allowed is too late: do not ask.
            begins = bucket * membership.bucket_micros - self._allowed_seconds * 1_000_000
            may = (buckets <= bucket + membership.buckets) & (event_micros >= begins)
            asks = np.flatnonzero(~seen & ~too_late & may & keyed)
            adds = np.flatnonzero((buckets == bucket) & keyed)
            seen[asks] = filter_.contains_in_order(hashes[asks], place[asks], hashes[adds], place[adds])
            filter_.add(hashes[adds])
        self._changed |= added
        self._retire()
        return seen

    def _retire(self) -> None:
        assert self._stream.micros is not None
        oldest = self._membership.oldest_bucket(self._stream.micros, self._allowed_seconds)
        self._filters = {bucket: filter_ for bucket, filter_ in self._filters.items() if bucket >= oldest}
        self._changed &= self._filters.keys()

    def _rate(self) -> float:
        """Probability that a look-up now calls a key seen that was not."""
        assert self._stream.micros is not None
        newest = self._stream.micros // self._membership.bucket_micros
        rates = [
            filter_.current_false_positive_rate()
            for bucket, filter_ in self._filters.items()
            if newest - self._membership.buckets <= bucket <= newest
        ]
        return float(1 - np.prod([1 - rate for rate in rates]))

    def facts(self) -> dict[str, Any]:
        """`records` that were answered, `in_order`, and `filters`: those that changed, in the columns of
        schemas.filters.CONTENT.
        """
        rate = self._rate()
        changed = [
            {
                "bucket_time": bucket * self._membership.bucket_micros,
                "bits": self._filters[bucket].to_bytes(),
                "fill": self._filters[bucket].fill(),
                "false_positive_rate": rate,
                "stream_time": self._stream.micros,
            }
            for bucket in sorted(self._changed)
        ]
        return {"records": self._records, "in_order": self._stream.in_order, "filters": changed}


def in_order(events: DataFrame) -> DataFrame:
    """Each partition in one task, in order of offset."""
    return events.repartition("record_partition").sortWithinPartitions("record_partition", "record_offset")


def with_key_hash(events: DataFrame, key: str = "record_key") -> DataFrame:
    """`events` with the hash of their keys, null where there is no key, as `mark_step` takes them."""
    return events.withColumn(HASH.name, F.when(F.col(key).isNotNull(), F.xxhash64(key)))


def mark_step(
    kinds: StructType,
    filters: pa.Table,
    membership: Membership,
    allowed_seconds: int,
    filter_facts: FactAccumulator,
) -> ArrowStep:
    """The step that adds the column `seen_before` to events of the columns `kinds`, with `with_key_hash`: true, false,
    or null for an event that is too late to say or has no key.

    The events of a partition must be in one task, in order of offset: see `in_order`. `filters` holds those before
    these events, in the columns of schemas/filters.py. Adds the filters that changed to `filter_facts`: see
    `changed_filters`.
    """
    columns = [field for field in kinds if field.name != HASH.name]
    output = StructType([*columns, StructField("seen_before", BooleanType())])
    target = to_arrow_schema(output, timezone="UTC")
    before: dict[int, list[dict[str, Any]]] = {}
    for row in filters.to_pylist():
        before.setdefault(row["partition"], []).append(row)

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        trackers: dict[int, SightingTracker] = {}
        for batch in batches:
            partitions = batch["record_partition"].to_numpy()
            seen, unknown = np.zeros(batch.num_rows, bool), np.zeros(batch.num_rows, bool)
            hashes = batch[HASH.name]
            asked = (batch["record_offset"], batch["event_time"].cast(pa.int64()), hashes.fill_null(0))
            numbers = [column.to_numpy() for column in asked]
            numbers.append(hashes.is_valid().to_numpy(zero_copy_only=False))
            for partition in np.unique(partitions).tolist():
                here = partitions == partition
                if partition not in trackers:
                    trackers[partition] = SightingTracker(membership, allowed_seconds, before.get(partition, []))
                seen[here], unknown[here] = trackers[partition].ask(*(column[here] for column in numbers))
            others = [batch[name].cast(target.field(name).type) for name in target.names[:-1]]
            yield pa.RecordBatch.from_arrays([*others, pa.array(seen, mask=unknown)], schema=target)
        facts = {(partition, tracker.first_offset): tracker.facts() for partition, tracker in trackers.items()}
        task_facts.report(filter_facts, facts)

    return ArrowStep(process, output)


def changed_filters(facts: Facts) -> pa.Table:
    """The filters in the facts of a `mark_step`: partition and the columns of schemas.filters.CONTENT."""
    rows = [{"partition": partition} | row for (partition, _), fact in facts.items() for row in fact["filters"]]
    columns = [field for field in filters_schema.COLUMNS if field.name != "sequence"]
    return pa.Table.from_pylist(rows, schema=to_arrow_schema(StructType(columns), timezone="UTC"))
