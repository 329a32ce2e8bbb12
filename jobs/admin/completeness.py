"""To when a result is complete, and which partition holds it back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.keeping.ledger import Row
from jobs.log.topic import Extent
from jobs.running import durations

Extents = Mapping[str, Sequence[Extent]]
"""By topic, what the log holds of each partition."""


@dataclass(frozen=True)
class Holder:
    """The partition with the least stream time, if others are further."""

    topic: str
    partition: int
    unread: int | None
    """Its records that are not read yet; None: the log cannot be read."""
    silent_seconds: float | None
    """How much later than its last record the last one of all topics was written, by their record timestamps; None:
    the log cannot be read, or holds no record of it any more.
    """


@dataclass(frozen=True)
class Completeness:
    """How complete a result is."""

    time: datetime
    """Complete time."""
    is_set: bool
    """Whether a person has set it, by `headrace complete`."""
    holder: Holder | None
    """Who holds it back; None if it was set, if all partitions are as far, or if idle ones do not count."""


def read(last: Row, topics: Sequence[str], extents: Extents | None) -> Completeness | None:
    """That of a result whose last ledger row this is; None if it publishes nothing, has read nothing, or has
    rows of changes alone, of which none is final.

    `extents`: None if the log cannot be read.
    """
    is_of_changes = "form" in last.definition and "facts_for" not in last.definition
    if last.complete_time is None or is_of_changes:
        return None
    if not last.definition.get("windows") and "answers" not in last.definition:
        return None
    if last.complete_time == last.until_time:
        return Completeness(last.complete_time, True, None)
    positions = last.positions(topics)
    streams = {
        (topic, partition): time for topic, read in positions.items() for partition, time in read.stream_time.items()
    }
    least = min(streams, key=lambda place: (streams[place], place), default=None)
    allowed = timedelta(seconds=durations.seconds(last.definition["allowed_lateness"]))
    if least is None or streams[least] == max(streams.values()) or last.complete_time != streams[least] - allowed:
        return Completeness(last.complete_time, False, None)
    read_to = positions[least[0]].end_offsets.get(least[1], 0)
    return Completeness(last.complete_time, False, _holder(*least, read_to, extents))


def _holder(topic: str, partition: int, read_to: int, extents: Extents | None) -> Holder:
    of_topic = [] if extents is None else extents[topic]
    here = next((one for one in of_topic if one.partition == partition), None)
    if extents is None or here is None:
        return Holder(topic, partition, None, None)
    unread = max(0, here.last_offset + 1 - read_to) if here.last_offset is not None else 0
    newest = max((one.last_time for each in extents.values() for one in each if one.last_time), default=None)
    silent = (newest - here.last_time).total_seconds() if newest and here.last_time else None
    return Holder(topic, partition, unread, silent)
