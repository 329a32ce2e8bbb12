"""A topic of the archive that is a copy of one in Kafka: how far it reaches, and the commit that adds to it.

Its marks, beside those of every topic: `kept:TOPIC`; `kafka:TOPIC:ID`, the id of the topic in Kafka;
`covered:TOPIC:PARTITION`, the offset up to which files say what they cover; `first:TOPIC:PARTITION`, where the copy
begins; `lost:TOPIC:PARTITION:OFFSET`, the offset after a gap that was accepted.
"""

import time
from dataclasses import dataclass, field

from deltalake.exceptions import CommitFailedError

from jobs.log.archive import topic as archive_topic
from jobs.log.archive import writer
from jobs.log.archive.file_writer import Written
from jobs.running.errors import Refused


@dataclass(frozen=True)
class Kept:
    """What the archive has of the topic: by partition, the offset after the last that was read."""

    ends: dict[int, int]
    covered: dict[int, int]
    """By partition, up to where the files cover what was read; the next file covers from here."""
    other: bool
    """Whether the archive has records of another topic under this name."""


@dataclass
class Portion:
    """What one commit adds: offsets [start, end) of each partition, and the files with their records."""

    starts: dict[int, int]
    ends: dict[int, int]
    files: list[Written] = field(default_factory=list)
    kind: str = "batch"
    """What a run's progress counts it as."""

    @property
    def records(self) -> int:
        """How many there are in the files; fewer than offsets, where transactions have been."""
        return sum(file.records for file in self.files)


def find(path: str, topic: str, topic_id: str) -> Kept:
    """What there is of the topic with this id in Kafka."""
    table = archive_topic.opened(path)
    known = archive_topic.known(table, topic)
    if table is None:
        return Kept({}, {}, False)
    same = table.transaction_version(f"kafka:{topic}:{topic_id}") is not None
    marked = {part: table.transaction_version(f"covered:{topic}:{part}") for part in known.ends}
    covered = {part: known.ends[part] if mark is None else mark for part, mark in marked.items()}
    return Kept(known.ends, covered, bool(known.ends) and not same)


def add(path: str, topic: str, topic_id: str, before: Kept, portion: Portion, marks: dict[str, int]) -> None:
    """Add a portion in one commit. Raises Refused if the archive no longer ends where it did before."""
    files = {file.partition: file for file in portion.files}
    marks = marks | {f"kept:{topic}": 1, f"kafka:{topic}:{topic_id}": 1, f"partitions:{topic}": len(portion.ends)}
    marks |= {f"end:{topic}:{part}": end for part, end in portion.ends.items()}
    for part, end in portion.ends.items():
        covered = before.covered.get(part, portion.starts[part])
        marks[f"covered:{topic}:{part}"] = end if part in files else covered
    read = {str(part): [portion.starts[part], end] for part, end in portion.ends.items()}
    with writer.queue(path):
        for attempt in range(writer.ATTEMPTS):
            table = archive_topic.opened(path) or archive_topic.created(path)
            known = archive_topic.known(table, topic)
            if known.paths >= {file.path for file in portion.files} and portion.files:
                break  # the commit that seemed to fail had come through
            if any(known.ends.get(part, 0) != before.ends.get(part, 0) for part in portion.ends):
                raise Refused(f"topic {topic}: another run has added to {path} at the same time. Run one at a time.")
            try:
                writer.write(table, topic, portion.files, marks, {"read": read})
                break
            except CommitFailedError:
                time.sleep(0.02 * attempt)
        else:
            raise Refused(f"topic {topic}: others wrote to {path} {writer.ATTEMPTS} times meanwhile; run again.")
        writer.checkpoint(table)
