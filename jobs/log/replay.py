"""The past of a topic, read again from the archive: in order within each partition, by time across partitions."""

import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from jobs.log.archive.file_reader import batches, oldest_time
from jobs.log.archive.snapshot import Snapshot
from jobs.log.offsets import Offsets, parse_time
from jobs.running.errors import Refused
from jobs.running.places import Places

TICK_SECONDS = 0.02
"""Records that are due within it go out together."""
Timed = tuple[pa.RecordBatch, np.ndarray]
"""Records of one partition, and when each is due: the largest record timestamp up to it, microseconds."""


def parse_point(log: Snapshot, point: str) -> Offsets:
    """The offsets that a point means: "17" is an offset in each partition, a time the first record that late. Raises
    Refused.
    """
    if point.isdecimal():
        return dict.fromkeys(log.ends, int(point))
    try:
        return log.offsets_since(parse_time(point))
    except ValueError as error:
        raise Refused(f"{error} A whole number is an offset.") from None


def span(places: Places, topic: str, start: str | None, end: str | None) -> tuple[Offsets, Offsets]:
    """By partition, the offsets [start, end) that are in the archive. Raises Refused when there is no such topic."""
    log = Snapshot(places.archive, topic).refresh()
    if not log.ends:
        raise Refused(
            f"topic {topic} has no records in {places.archive}: jobs/kafka_archive.py keeps the archive of Kafka."
        )
    firsts = log.firsts()
    starts = firsts if start is None else parse_point(log, start)
    ends = log.ends if end is None else parse_point(log, end)
    starts = {p: min(max(starts[p], firsts[p]), log_end) for p, log_end in log.ends.items()}
    return starts, {p: max(starts[p], min(ends[p], log_end)) for p, log_end in log.ends.items()}


def oldest_ms(places: Places, topic: str, starts: Offsets, ends: Offsets) -> int | None:
    """The least record timestamp of the span, milliseconds since the epoch; None if it holds no record."""
    log = Snapshot(places.archive, topic).refresh()
    times = [oldest_time(log.files_of(p, start, ends[p]), start, ends[p]) for p, start in starts.items()]
    return min((int(time.timestamp() * 1000) for time in times if time is not None), default=None)


def records(
    places: Places, topic: str, starts: Offsets, ends: Offsets, speed: float | None = None
) -> Iterator[pa.RecordBatch]:
    """The records of the span in the archive's columns. With a `speed` they come when they are due: record time passes
    that many times as fast as the clock. A record behind one with a later timestamp is due with it.
    """
    begun, first = time.monotonic(), None
    for batch, due in _merge_by_time(places, topic, starts, ends):
        if speed is None:
            yield batch
            continue
        first = int(due[0]) if first is None else first
        seconds = (due - first) / 1e6 / speed
        sent = 0
        while sent < len(due):
            ready = int(np.searchsorted(seconds, time.monotonic() - begun, side="right"))
            if ready > sent:
                yield batch.slice(sent, ready - sent)
                sent = ready
            else:
                time.sleep(max(TICK_SECONDS, seconds[sent] - (time.monotonic() - begun)))


def _merge_by_time(places: Places, topic: str, starts: Offsets, ends: Offsets) -> Iterator[Timed]:
    """The records of all partitions by when they are due; within a partition the order of offsets stays."""
    log = Snapshot(places.archive, topic).refresh()
    readers = {}
    for partition, start in starts.items():
        end = ends[partition]
        files = log.files_of(partition, start, end)
        readers[partition] = _with_due_times(batches(files, topic, partition, start, end))
    waiting = {p: batch for p, reader in readers.items() if (batch := next(reader, None)) is not None}
    while waiting:
        until = min(int(due[-1]) for _, due in waiting.values())
        cuts = {p: int(np.searchsorted(due, until, side="right")) for p, (_, due) in waiting.items()}
        rows = pa.Table.from_batches([batch.slice(0, cuts[p]) for p, (batch, _) in waiting.items()])
        due = np.concatenate([times[: cuts[p]] for p, (_, times) in waiting.items()])
        order = np.argsort(due, kind="stable")
        yield rows.take(pa.array(order)).combine_chunks().to_batches()[0], due[order]
        for partition, (batch, times) in list(waiting.items()):
            left = (batch.slice(cuts[partition]), times[cuts[partition] :])
            more = left if len(left[1]) else next(readers[partition], None)
            if more is None:
                del waiting[partition]
            else:
                waiting[partition] = more


def _with_due_times(batches_read: Iterator[pa.RecordBatch]) -> Iterator[Timed]:
    latest = np.iinfo(np.int64).min
    for batch in batches_read:
        due = np.maximum(np.maximum.accumulate(batch["timestamp"].cast(pa.int64()).to_numpy()), latest)
        latest = int(due[-1])
        yield batch, due
