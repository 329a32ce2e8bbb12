"""The past of a topic again, from the archive: its records in order of each partition, and by time across them."""

import time
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from jobs.log.archive import home
from jobs.log.archive.file_reader import LogFile, batches, oldest
from jobs.log.archive.snapshot import Snapshot
from jobs.log.offsets import Offsets, since
from jobs.running.errors import Refused
from jobs.running.places import Places

TICK_SECONDS = 0.02
"""Records that are due within it go out together."""
Timed = tuple[pa.RecordBatch, np.ndarray]
"""Records of one partition, and when each is due: the largest record timestamp up to it, microseconds."""


def position(places: Places, topic: str, said: str | None, log: Snapshot) -> Offsets | None:
    """The offsets that "17" (in each partition) or a time (the first record so late) stands for. Raises Refused."""
    if said is None:
        return None
    if said.isdecimal():
        return dict.fromkeys(log.ends, int(said))
    try:
        return home.since(places, topic, since(said))
    except ValueError as error:
        raise Refused(f"{error} A whole number is an offset.") from None


def span(places: Places, topic: str, start: str | None, end: str | None) -> tuple[Offsets, Offsets]:
    """By partition, the offsets [start, end) that are in the archive. Raises Refused when there is no such topic."""
    log = Snapshot(places.archive, topic).refresh()
    if not log.ends:
        raise Refused(
            f"topic {topic} has no records in {places.archive}: jobs/kafka_archive.py keeps the archive of Kafka."
        )
    first, last = log.firsts(), log.ends
    starts, ends = (position(places, topic, said, log) for said in (start, end))
    bounded = {part: min(max((starts or first)[part], first[part]), last[part]) for part in last}
    return bounded, {part: max(bounded[part], min((ends or last)[part], last[part])) for part in last}


def oldest_ms(places: Places, topic: str, starts: Offsets, ends: Offsets) -> int | None:
    """The least record timestamp of the span, milliseconds since the epoch; None if it holds no record."""
    files = Snapshot(places.archive, topic).refresh().files
    times = [oldest(_within(files, part, start, ends[part]), start, ends[part]) for part, start in starts.items()]
    return min((int(time.timestamp() * 1000) for time in times if time is not None), default=None)


def _within(files: list[LogFile], partition: int, start: int, end: int) -> list[LogFile]:
    """The files of a partition that may hold an offset in [start, end)."""
    return [file for file in files if file.partition == partition and file.first < end and file.last >= start]


def records(
    places: Places, topic: str, starts: Offsets, ends: Offsets, speed: float | None = None
) -> Iterator[pa.RecordBatch]:
    """The records of the span in the archive's columns. With a `speed` they come when they are due: record time passes
    that many times as fast as the clock; a record that stands behind a later one comes with it.
    """
    begun, first = time.monotonic(), None
    for batch, due in _merged(places, topic, starts, ends):
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


def _merged(places: Places, topic: str, starts: Offsets, ends: Offsets) -> Iterator[Timed]:
    """The partitions together, by when their records are due; in each the order of offsets stays."""
    files = Snapshot(places.archive, topic).refresh().files
    readers = {}
    for part, start in starts.items():
        readers[part] = _timed(batches(_within(files, part, start, ends[part]), topic, part, start, ends[part]))
    waiting = {part: found for part, reader in readers.items() if (found := next(reader, None)) is not None}
    while waiting:
        until = min(int(due[-1]) for _, due in waiting.values())
        cuts = {part: int(np.searchsorted(due, until, side="right")) for part, (_, due) in waiting.items()}
        rows = pa.Table.from_batches([batch.slice(0, cuts[part]) for part, (batch, _) in waiting.items()])
        due = np.concatenate([times[: cuts[part]] for part, (_, times) in waiting.items()])
        order = np.argsort(due, kind="stable")
        yield rows.take(pa.array(order)).combine_chunks().to_batches()[0], due[order]
        for part, (batch, times) in list(waiting.items()):
            left = (batch.slice(cuts[part]), times[cuts[part] :])
            more = left if len(left[1]) else next(readers[part], None)
            if more is None:
                del waiting[part]
            else:
                waiting[part] = more


def _timed(found: Iterator[pa.RecordBatch]) -> Iterator[Timed]:
    latest = np.iinfo(np.int64).min
    for batch in found:
        due = np.maximum(np.maximum.accumulate(batch["timestamp"].cast(pa.int64()).to_numpy()), latest)
        latest = int(due[-1])
        yield batch, due
