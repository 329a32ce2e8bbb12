"""Membership: was this key seen before, within a horizon? Bloom filters by time bucket and partition of the log.

"Before" means at a lower offset of the same partition, with an event time at most the horizon older. The answers are
those of one record at a time, false positives included, however the log is cut into batches. There is no false
negative: a record that is later than allowed gets null, as its horizon goes back to filters that may be retired. So
does a record without a key: there is nothing to look up, and nothing is learned.
(Bloom: "Space/time trade-offs in hash coding with allowable errors", CACM 13(7), 1970.)
"""

from dataclasses import dataclass

from jobs.running import durations
from jobs.running.errors import Mistake
from sketches.bloom import Size, size_for


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
