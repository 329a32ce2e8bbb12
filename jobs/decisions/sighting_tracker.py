"""Which keys of a partition were seen before? Asked record by record, in order of offset."""

from typing import Any

import numpy as np

from jobs.decisions.membership import Membership
from jobs.events.stream_time import StreamTime
from jobs.running.instants import to_micros
from sketches.bloom import NEVER, BloomFilter


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
        self, offsets: np.ndarray, event_micros: np.ndarray, keys: np.ndarray, hashes: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """For each of the next records, at least one: whether its key was seen, and whether that cannot be said, as it
        is too late or has no key.

        `hashes`: of the different keys. `keys`: for each record the row of its key in `hashes`, -1 if it has none.
        """
        self._records += len(offsets)
        too_late = self._stream.follow(offsets, event_micros) > self._allowed_seconds * 1_000_000
        unknown = too_late | (keys < 0)
        return self._ask_filters(event_micros, keys, hashes, unknown), unknown

    def _ask_filters(
        self, event_micros: np.ndarray, keys: np.ndarray, hashes: np.ndarray, unknown: np.ndarray
    ) -> np.ndarray:
        """Whether each was seen. Filters that nobody can ask for any more at the end are dropped.

        Each filter is asked once for each different key: from which record on does it know the key? A record without a
        key leaves the bits of its bucket's filter as they are, but the filter gets the stream time after the record.
        """
        membership = self._membership
        buckets = event_micros // membership.bucket_micros
        seen = np.zeros(len(keys), bool)
        changes = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
        added = set(buckets[changes].tolist())
        for bucket in sorted({*self._filters, *added}, reverse=True):
            filter_ = self._filters.setdefault(bucket, BloomFilter(membership.size()))
            # Once the bucket has begun, a record further behind its start than is allowed is too late: do not ask.
            begins = bucket * membership.bucket_micros - self._allowed_seconds * 1_000_000
            may = (buckets <= bucket + membership.buckets) & (event_micros >= begins)
            asks = np.flatnonzero(~seen & ~unknown & may)
            adds = np.flatnonzero((buckets == bucket) & (keys >= 0))
            first_places = np.full(len(hashes), NEVER)
            first_places[keys[adds][::-1]] = adds[::-1]  # of several records of a key the first is assigned last
            needed = first_places < NEVER
            needed[keys[asks]] = True
            seen_after = np.full(len(hashes), NEVER)
            seen_after[needed] = filter_.add_in_order(hashes[needed], first_places[needed])
            seen[asks] = seen_after[keys[asks]] < asks
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
