"""A topic of the archive that is a copy of one in Kafka: how far the copy goes, and the commit that adds to it."""

from dataclasses import dataclass, field

from jobs.log.archive import marks, transaction
from jobs.log.archive.file_writer import NewFile
from jobs.log.archive.snapshot import Snapshot
from jobs.running.errors import Refused


@dataclass(frozen=True)
class CopyState:
    """How far the copy of a topic goes."""

    ends: dict[int, int]
    """By partition, the offset after the last that was read."""
    covered: dict[int, int]
    """By partition, the end of the offsets that files cover; the next file covers from here."""
    is_other_topic: bool
    """Whether the archive has records of another topic under this name."""


@dataclass
class CopyRange:
    """What one commit adds: offsets [start, end) of each partition, and the files with their records."""

    starts: dict[int, int]
    ends: dict[int, int]
    files: list[NewFile] = field(default_factory=list)
    kind: str = "batch"
    """What a run's progress counts it as."""

    @property
    def records(self) -> int:
        """How many there are in the files; fewer than offsets, where transactions have been."""
        return sum(file.records for file in self.files)


def find(path: str, topic: str, topic_id: str) -> CopyState:
    """How far the copy of the topic with this id in Kafka goes."""
    log = Snapshot(path, topic).refresh()
    marked = {partition: log.mark(marks.covered_end(topic, partition)) for partition in log.ends}
    covered = {partition: log.ends[partition] if mark is None else mark for partition, mark in marked.items()}
    return CopyState(log.ends, covered, bool(log.ends) and not log.is_copy_of(topic_id))


def add(path: str, topic: str, topic_id: str, before: CopyState, copied: CopyRange, more_marks: dict[str, int]) -> None:
    """Add what was copied in one commit. Raises Refused if the archive no longer ends where it did `before`."""
    new_marks = more_marks | {marks.kafka_copy(topic): 1, marks.kafka_topic(topic, topic_id): 1}
    new_marks[marks.partitions(topic)] = len(copied.ends)
    with_files = {file.partition for file in copied.files}
    for partition, end in copied.ends.items():
        covered = before.covered.get(partition, copied.starts[partition])
        new_marks[marks.end(topic, partition)] = end
        new_marks[marks.covered_end(topic, partition)] = end if partition in with_files else covered
    read = {str(partition): [copied.starts[partition], end] for partition, end in copied.ends.items()}

    def write(log: Snapshot) -> None:
        if any(log.ends.get(partition, 0) != before.ends.get(partition, 0) for partition in copied.ends):
            raise Refused(f"topic {topic}: another run has added to {path} at the same time. Run one at a time.")
        transaction.commit_files(log.table, topic, copied.files, new_marks, {"read": read})

    transaction.retry_on_conflict(path, topic, lambda: copied.files, write)
