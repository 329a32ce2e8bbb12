"""Complete time: every record before it that is still to come is late. It follows from a ledger row alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from jobs.events.lateness_rule import LatenessRule
from jobs.keeping.ledger import Row
from jobs.log.offsets import Offsets
from jobs.running.instants import from_micros, to_micros


@dataclass(frozen=True)
class Clock:
    """How far one topic has been read, and what its clock shows there."""

    stream_micros: Mapping[int, int]
    """Stream time by partition, in microseconds since 1970; none for a partition without a record."""
    read: Offsets
    """By partition, the offset after the last record that was read."""
    ends: Offsets | None
    """By partition, where the log ended when the batch was planned; None if nobody asked, so that no partition can be
    idle."""

    def micros(self, idle_from: int | None) -> list[int]:
        """Stream time of each partition; one that is read to its end has reached `idle_from`."""
        times = []
        for partition, stream in self.stream_micros.items():
            at_end = self.ends is not None and self.read.get(partition, 0) >= self.ends.get(partition, 0)
            times.append(max(stream, idle_from) if at_end and idle_from is not None else stream)
        return times


def micros(clocks: Iterable[Clock], record_micros: int | None, rule: LatenessRule) -> int | None:
    """Complete time in microseconds since 1970; None before the first record. `record_micros`: the largest record
    timestamp of all topics.
    """
    idle_from = None
    if rule.idle_seconds is not None and record_micros is not None:
        idle_from = record_micros - rule.idle_seconds * 1_000_000
    times = [time for clock in clocks for time in clock.micros(idle_from)]
    return min(times) - rule.allowed_seconds * 1_000_000 if times else None


def with_complete_time(row: Row, clocks: Iterable[Clock], rule: LatenessRule) -> Row:
    """`row` with complete time after its batch, and whether that has gone back. What a person has said stays: see
    `headrace complete`.
    """
    record_micros = to_micros(row.record_time) if row.record_time else None
    found = micros(clocks, record_micros, rule)
    times = [*([from_micros(found)] if found is not None else []), *([row.until_time] if row.until_time else [])]
    now = max(times, default=None)
    return replace(row, complete_time=now, reopened=int(_went_back(row.complete_time, now)))


def _went_back(before: datetime | None, now: datetime | None) -> bool:
    return before is not None and now is not None and now < before
