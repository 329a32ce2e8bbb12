"""The topics of a home of the log, one line each."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TopicSummary:
    """What a home holds of one topic."""

    name: str
    home: str
    """archive or kafka."""
    ends: dict[int, int]
    """By partition, the offset after its last record."""
    records: int
    """In Kafka these are offsets: some may be of transactions, or compacted."""
    first_time: datetime | None
    """The earliest record timestamp of the first records of its partitions; None if it holds nothing."""
    last_time: datetime | None
    """The latest record timestamp; the end of the year 9999 if it lies beyond that."""
    retention_ms: int | None = None
    """How long a record is kept; None: for ever, or not known."""
    retention_bytes: int | None = None
    """How large a partition may grow; None: without limit, or not known."""
    is_compacted: bool = False
    """Whether only the last record of each key is kept."""


def earliest(times: Iterable[datetime | None]) -> datetime | None:
    """The earliest of those that are known."""
    return min((time for time in times if time is not None), default=None)


def latest(times: Iterable[datetime | None]) -> datetime | None:
    """The latest of those that are known."""
    return max((time for time in times if time is not None), default=None)
