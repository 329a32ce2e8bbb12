"""Whether the archive has each offset of a topic once, and if not, whether it should.

An offset without a record is explained when the copy began behind it or retention took it, when its loss was accepted,
when `headrace compact` has been there (which record it took nobody knows any more), when Kafka has no committed record
there either, or when a file says that the offset was read and held none: Kafka gives offsets to
markers of transactions, aborted ones are not for readers, and compaction takes records away.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from jobs.log.archive.file_reader import LogFile, open_file, runs
from jobs.log.archive.snapshot import Snapshot
from jobs.log.kafka import records as kafka_records
from jobs.log.kafka import topics
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from jobs.running.places import Places

COVERS = b"headrace.covers"
Span = tuple[int, int]
"""Offsets [first, after)."""


@dataclass
class Audit:
    """What one partition of the archive holds of its offsets [first, end)."""

    partition: int
    first: int
    end: int
    records: int = 0
    doubles: list[Span] = field(default_factory=list)
    """Offsets that stand more than once."""
    missing: list[Span] = field(default_factory=list)
    """Offsets without a record that nothing explains."""
    in_kafka: list[Span] = field(default_factory=list)
    """Offsets without a record where Kafka has one."""
    explained: dict[str, int] = field(default_factory=dict)
    """By reason, the number of offsets that rightly have no record."""

    @property
    def whole(self) -> bool:
        """Whether each offset is there once, or need not be."""
        return not (self.doubles or self.missing or self.in_kafka)


def audit(places: Places, topic: str) -> list[Audit]:
    """Look at every offset, by partition; Kafka is asked if the archive is kept from it.

    Raises Refused when there is no such topic, ArchiveError when a file cannot be read.
    """
    log = Snapshot(places.archive, topic).refresh()
    if not log.ends:
        raise Refused(f"topic {topic} has no records in {places.archive}.")
    source = _kafka(places, log, topic)
    found = []
    for part, end in sorted(log.ends.items()):
        one = Audit(part, log.mark(f"first:{part}") or 0, end)
        files = [file for file in log.files if file.partition == part]
        gaps = _gaps(one, files)
        gaps = _take(one, gaps, "lost, and accepted", _lost(log, part, gaps))
        compacted = log.mark(f"compacted:{part}") or 0
        gaps = _take(one, gaps, "compacted", [(one.first, compacted)] if compacted > one.first else [])
        if source is not None:
            gaps = _ask(one, gaps, source, topic)
        gaps = _take(one, gaps, "no committed record when it was read", _covers(files) if gaps else [])
        one.missing = gaps
        found.append(one)
    return found


def _kafka(places: Places, log: Snapshot, topic: str) -> Kafka | None:
    """How to ask Kafka for the topic; None if it no longer has it, or the archive is no copy."""
    if places.kafka is None or log.mark("kept") is None:
        return None
    now = topics.describe(places.kafka, topic)
    return places.kafka if now is not None and log.keeps(now.id) else None


def _gaps(one: Audit, files: list[LogFile]) -> list[Span]:
    """Offsets without a record. Counts the records and notes the doubles."""
    gaps, expected = [], one.first
    for together in runs([(file.first, file.last, file) for file in files]):
        offsets = np.sort(np.concatenate([_offsets(file) for file in together]))
        one.records += len(offsets)
        twice = offsets[1:][offsets[1:] == offsets[:-1]]
        one.doubles = _merged([*one.doubles, *((int(offset), int(offset) + 1) for offset in twice)])
        bounds = np.concatenate([[expected - 1], offsets])
        holes = np.flatnonzero(np.diff(bounds) > 1)
        gaps += [(int(bounds[hole]) + 1, int(bounds[hole + 1])) for hole in holes]
        expected = max(expected, int(offsets[-1]) + 1)
    return gaps + ([(expected, one.end)] if expected < one.end else [])


def _offsets(file: LogFile) -> np.ndarray:
    table = open_file(file).read(columns=["offset"], use_threads=False)
    return np.asarray(table["offset"].to_numpy())


def _covers(files: list[LogFile]) -> list[Span]:
    """What was read for the files."""
    return [
        _span((open_file(file).metadata.metadata or {}).get(COVERS)) or (file.first, file.last + 1) for file in files
    ]


def _span(said: bytes | None) -> Span | None:
    if said is None:
        return None
    first, _, after = said.decode().partition("-")
    return int(first), int(after)


def _lost(log: Snapshot, part: int, gaps: list[Span]) -> Iterator[Span]:
    """Gaps whose loss was accepted: a mark has the offset after them."""
    for first, _ in gaps:
        after = log.mark(f"lost:{part}:{first}")
        if after is not None:
            yield first, after


def _ask(one: Audit, gaps: list[Span], kafka: Kafka, topic: str) -> list[Span]:
    """Take from the gaps what Kafka still has the say on; what it can no longer tell is returned."""
    kept = topics.existing(kafka, topic).firsts.get(one.partition, 0)
    asked = _within(gaps, [(kept, one.end)])
    if not asked:
        return gaps
    span = (asked[0][0], asked[-1][1])
    committed = kafka_records.offsets(kafka, topic, one.partition, span, committed=True)
    every = kafka_records.offsets(kafka, topic, one.partition, span, committed=False)
    one.in_kafka = _merged(_within([(offset, offset + 1) for offset in committed], asked))
    aborted = _within([(offset, offset + 1) for offset in sorted(set(every) - set(committed))], asked)
    _count(one, "of aborted transactions", aborted)
    nothing = _without(asked, [(offset, offset + 1) for offset in sorted({*every, *committed})])
    _count(one, "transaction markers, or compacted by Kafka", nothing)
    return _without(gaps, asked)


def _take(one: Audit, gaps: list[Span], why: str, spans: Iterable[Span]) -> list[Span]:
    """Explain what of the gaps lies in the spans; returns the rest."""
    known = _merged(spans)
    _count(one, why, _within(gaps, known))
    return _without(gaps, known)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, without overlaps."""
    found: list[Span] = []
    for first, after in sorted(spans):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(after, found[-1][1]))
        else:
            found.append((first, after))
    return found


def _count(one: Audit, why: str, spans: list[Span]) -> None:
    offsets = sum(after - first for first, after in spans)
    if offsets:
        one.explained[why] = one.explained.get(why, 0) + offsets


def _within(gaps: list[Span], spans: list[Span]) -> list[Span]:
    """What of the gaps lies in the spans; both are in order."""
    found, place = [], 0
    for first, after in gaps:
        while place < len(spans) and spans[place][1] <= first:
            place += 1
        here = place
        while here < len(spans) and spans[here][0] < after:
            found.append((max(first, spans[here][0]), min(after, spans[here][1])))
            here += 1
    return found


def _without(gaps: list[Span], spans: list[Span]) -> list[Span]:
    """What of the gaps lies in none of the spans."""
    left = []
    for first, after in gaps:
        for start, end in _within([(first, after)], spans):
            if start > first:
                left.append((first, start))
            first = end
        if first < after:
            left.append((first, after))
    return left
