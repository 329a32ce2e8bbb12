"""Whether the archive has each offset of a topic once, and if not, whether it should.

An offset may rightly have no record: it is before the copy began or before what retention left; its loss was accepted;
`headrace compact` has been there (which records it removed is not stored); Kafka has no committed record there either;
or the footer of a file says that the offset was read and had none. Kafka gives offsets to markers and aborted records
of transactions, and its compaction removes records.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from jobs.log.archive import marks
from jobs.log.archive.data_file import DataFile
from jobs.log.archive.file_reader import covered_offsets, group_overlapping, read_columns
from jobs.log.archive.snapshot import Snapshot
from jobs.log.kafka import records as kafka_records
from jobs.log.kafka import topics
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from jobs.running.places import Places

Span = tuple[int, int]
"""Offsets [start, end)."""


@dataclass
class Audit:
    """What one partition of the archive holds of its offsets [start, end)."""

    partition: int
    start: int
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
    """Look at every offset, by partition; asks Kafka, too, if the topic is a copy of one there.

    Raises Refused when there is no such topic, ArchiveError when a file cannot be read.
    """
    log = Snapshot(places.archive, topic).refresh()
    if not log.ends:
        raise Refused(f"topic {topic} has no records in {places.archive}.")
    source = _source(places, log)
    return [_audit_partition(log, partition, source) for partition in sorted(log.ends)]


def _audit_partition(log: Snapshot, partition: int, source: Kafka | None) -> Audit:
    result = Audit(partition, log.mark(marks.first(log.topic, partition)) or 0, log.ends[partition])
    files = log.files_of(partition)
    gaps = _find_gaps(result, files)
    gaps = _explain(result, gaps, "lost, and accepted", _accepted_losses(log, partition, gaps))
    compacted = log.mark(marks.compacted_end(log.topic, partition)) or 0
    gaps = _explain(result, gaps, "compacted", [(result.start, compacted)] if compacted > result.start else [])
    if source is not None:
        gaps = _explain_by_kafka(result, gaps, source, log.topic)
    covered = [covered_offsets(file) or (file.start, file.end) for file in files] if gaps else []
    result.missing = _explain(result, gaps, "no committed record when it was read", covered)
    return result


def _source(places: Places, log: Snapshot) -> Kafka | None:
    """The Kafka that the topic was copied from; None if it no longer has the topic, or this is no copy."""
    if places.kafka is None or not log.is_kafka_copy():
        return None
    now = topics.describe(places.kafka, log.topic)
    return places.kafka if now is not None and log.is_copy_of(now.id) else None


def _find_gaps(result: Audit, files: list[DataFile]) -> list[Span]:
    """Offsets without a record. Counts the records and notes the doubles."""
    gaps, expected = [], result.start
    for overlapping in group_overlapping([(file.start, file.end, file) for file in files]):
        offsets = np.sort(np.concatenate([read_columns(file, ["offset"])["offset"].to_numpy() for file in overlapping]))
        result.records += len(offsets)
        twice = offsets[1:][offsets[1:] == offsets[:-1]]
        result.doubles = _merge([*result.doubles, *((int(offset), int(offset) + 1) for offset in twice)])
        bounds = np.concatenate([[expected - 1], offsets])
        holes = np.flatnonzero(np.diff(bounds) > 1)
        gaps += [(int(bounds[hole]) + 1, int(bounds[hole + 1])) for hole in holes]
        expected = max(expected, int(offsets[-1]) + 1)
    return gaps + ([(expected, result.end)] if expected < result.end else [])


def _accepted_losses(log: Snapshot, partition: int, gaps: list[Span]) -> Iterator[Span]:
    """Gaps whose loss was accepted: a mark has their end."""
    for start, _ in gaps:
        end = log.mark(marks.loss(log.topic, partition, start))
        if end is not None:
            yield start, end


def _explain_by_kafka(result: Audit, gaps: list[Span], kafka: Kafka, topic: str) -> list[Span]:
    """Explain, or report as missing here, the offsets that Kafka still has; returns the gaps before them."""
    first = topics.require(kafka, topic).firsts.get(result.partition, 0)
    asked = _intersect(gaps, [(first, result.end)])
    if not asked:
        return gaps
    span = (asked[0][0], asked[-1][1])
    committed = kafka_records.offsets(kafka, topic, result.partition, span, committed=True)
    every = kafka_records.offsets(kafka, topic, result.partition, span, committed=False)
    result.in_kafka = _merge(_intersect(_spans(committed), asked))
    aborted = _intersect(_spans(sorted(set(every) - set(committed))), asked)
    _count(result, "of aborted transactions", aborted)
    without_record = _subtract(asked, _spans(sorted({*every, *committed})))
    _count(result, "transaction markers, or compacted by Kafka", without_record)
    return _subtract(gaps, asked)


def _spans(offsets: list[int]) -> list[Span]:
    return [(offset, offset + 1) for offset in offsets]


def _explain(result: Audit, gaps: list[Span], reason: str, spans: Iterable[Span]) -> list[Span]:
    """Explain the offsets of the gaps that are in the spans; returns the rest."""
    explained = _merge(spans)
    _count(result, reason, _intersect(gaps, explained))
    return _subtract(gaps, explained)


def _count(result: Audit, reason: str, spans: list[Span]) -> None:
    offsets = sum(end - start for start, end in spans)
    if offsets:
        result.explained[reason] = result.explained.get(reason, 0) + offsets


def _merge(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, without overlaps."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _intersect(gaps: list[Span], spans: list[Span]) -> list[Span]:
    """The offsets of the gaps that are in one of the spans; both are in order."""
    common, place = [], 0
    for start, end in gaps:
        while place < len(spans) and spans[place][1] <= start:
            place += 1
        here = place
        while here < len(spans) and spans[here][0] < end:
            common.append((max(start, spans[here][0]), min(end, spans[here][1])))
            here += 1
    return common


def _subtract(gaps: list[Span], spans: list[Span]) -> list[Span]:
    """The offsets of the gaps that are in none of the spans."""
    rest = []
    for gap_start, gap_end in gaps:
        position = gap_start
        for start, end in _intersect([(gap_start, gap_end)], spans):
            if start > position:
                rest.append((position, start))
            position = end
        if position < gap_end:
            rest.append((position, gap_end))
    return rest
