"""Membership: was this key seen before, within a horizon? Bloom filters by time bucket and partition of the log.

"Before" means at a lower offset of the same partition, with an event time at most the horizon older. The answers are
those of one record at a time, false positives included, however the log is cut into batches. There is no false
negative: a record that is later than allowed, whose horizon reaches back to filters that may be retired, gets null.
So does a record without a key: there is nothing to ask for, and nothing is learned.
(Bloom: "Space/time trade-offs in hash coding with allowable errors", CACM 13(7), 1970.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BooleanType, LongType, StructField, StructType

from jobs.events import task_facts
from jobs.events.arrow_step import ArrowStep
from jobs.events.task_facts import Facts, Told
from jobs.running import durations
from jobs.running.errors import Mistake
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
        """Number of the oldest bucket that a record which is not too late can still ask for."""
        return (stream_micros - allowed_seconds * 1_000_000) // self.bucket_micros - self.buckets


class _Sightings:
    """Answers for the records of one partition, in order of offset, and learns their keys."""

    def __init__(self, membership: Membership, allowed_seconds: int, before: list[dict[str, Any]]) -> None:
        """`before`: the partition's filters before the first record, in the columns of schemas/filters.py."""
        self._membership = membership
        self._allowed_seconds = allowed_seconds
        self._stream_micros = max((_micros(row["stream_time"]) for row in before), default=None)
        length = membership.bucket_micros
        self._filters = {_micros(row["bucket_time"]) // length: BloomFilter.from_bytes(row["bits"]) for row in before}
        self._changed: set[int] = set()
        self._records = 0
        self.first_offset, self._last_offset, self._in_order = -1, -1, True

    def answer(
        self, offsets: np.ndarray, event_micros: np.ndarray, hashes: np.ndarray, keyed: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """For each of the next records, at least one, whether its key was seen, and whether nobody can say: it is too
        late, or it has no key.
        """
        if self._last_offset < 0:
            self.first_offset = int(offsets[0])
        self._records += len(offsets)
        self._in_order &= bool(offsets[0] > self._last_offset and (offsets[1:] > offsets[:-1]).all())
        self._last_offset = int(offsets[-1])
        stream = event_micros[0] if self._stream_micros is None else self._stream_micros
        before = np.maximum.accumulate(np.concatenate([[stream], event_micros]))
        too_late = before[:-1] - event_micros > self._allowed_seconds * 1_000_000
        self._stream_micros = int(before[-1])
        return self._seen(event_micros, hashes, too_late, keyed), too_late | ~keyed

    def _seen(
        self, event_micros: np.ndarray, hashes: np.ndarray, too_late: np.ndarray, keyed: np.ndarray
    ) -> np.ndarray:
        """Whether each was seen. Filters that are too old by the end have answered by then: they are not kept.

        A record without a key leaves its bucket's filter as it is, but the filter carries the stream time that it
        brings.
        """
        membership, place = self._membership, np.arange(len(hashes))
        buckets = event_micros // membership.bucket_micros
        seen = np.zeros(len(hashes), bool)
        added = set(np.unique(buckets).tolist())
        for bucket in sorted({*self._filters, *added}, reverse=True):
            filter_ = self._filters.setdefault(bucket, BloomFilter(membership.size()))
            # Where the bucket has begun, who is further behind its start is too late: that need not be asked.
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
        assert self._stream_micros is not None
        oldest = self._membership.oldest_bucket(self._stream_micros, self._allowed_seconds)
        self._filters = {bucket: filter_ for bucket, filter_ in self._filters.items() if bucket >= oldest}
        self._changed &= self._filters.keys()

    def _rate(self) -> float:
        """Probability that a look-up now calls a key seen that was not."""
        assert self._stream_micros is not None
        newest = self._stream_micros // self._membership.bucket_micros
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
                "stream_time": self._stream_micros,
            }
            for bucket in sorted(self._changed)
        ]
        return {"records": self._records, "in_order": self._in_order, "filters": changed}


def in_order(events: DataFrame) -> DataFrame:
    """Each partition in one task, in order of offset."""
    return events.repartition("record_partition").sortWithinPartitions("record_partition", "record_offset")


HASH = StructField("__key_hash", LongType())


def hashed(events: DataFrame, key: str = "record_key") -> DataFrame:
    """`events` with the hash of their keys, null where there is none, as `marking` takes them."""
    return events.withColumn(HASH.name, F.when(F.col(key).isNotNull(), F.xxhash64(key)))


def marking(
    kinds: StructType, filters: pa.Table, membership: Membership, allowed_seconds: int, told: Told
) -> ArrowStep:
    """The step that gives `hashed` events, of columns `kinds`, `seen_before`: true, false, or null: too late to say, or
    no key.

    The events of a partition must be in one task, in order of offset: see `in_order`. `filters` holds those before
    these events, in the columns of schemas/filters.py. Tells the filters that changed: see `changed`.
    """
    given = [field for field in kinds if field.name != HASH.name]
    output = StructType([*given, StructField("seen_before", BooleanType())])
    target = to_arrow_schema(output, timezone="UTC")
    before: dict[int, list[dict[str, Any]]] = {}
    for row in filters.to_pylist():
        before.setdefault(row["partition"], []).append(row)

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        following: dict[int, _Sightings] = {}
        for batch in batches:
            partitions = batch["record_partition"].to_numpy()
            seen, unknown = np.zeros(batch.num_rows, bool), np.zeros(batch.num_rows, bool)
            hashes = batch[HASH.name]
            columns = [batch["record_offset"], batch["event_time"].cast(pa.int64()), hashes.fill_null(0)]
            numbers = [column.to_numpy() for column in columns]
            numbers.append(hashes.is_valid().to_numpy(zero_copy_only=False))
            for partition in np.unique(partitions).tolist():
                mine = partitions == partition
                if partition not in following:
                    following[partition] = _Sightings(membership, allowed_seconds, before.get(partition, []))
                seen[mine], unknown[mine] = following[partition].answer(*(column[mine] for column in numbers))
            kept = [batch[name].cast(target.field(name).type) for name in target.names[:-1]]
            yield pa.RecordBatch.from_arrays([*kept, pa.array(seen, mask=unknown)], schema=target)
        task_facts.report(told, {(partition, mine.first_offset): mine.facts() for partition, mine in following.items()})

    return ArrowStep(process, output)


def changed(facts: Facts) -> pa.Table:
    """The filters that `marking` told of: partition and the columns of schemas.filters.CONTENT."""
    rows = [{"partition": partition} | row for (partition, _), fact in facts.items() for row in fact["filters"]]
    columns = [field for field in schema.COLUMNS if field.name != "sequence"]
    return pa.Table.from_pylist(rows, schema=to_arrow_schema(StructType(columns), timezone="UTC"))


def _micros(moment: datetime | int) -> int:
    return moment if isinstance(moment, int) else (moment - _EPOCH) // timedelta(microseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
