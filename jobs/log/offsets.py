"""Where a stream starts and how far a batch goes: arithmetic on {partition: next offset}, with no I/O."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

Offsets = dict[int, int]
"""The next offset to read of each partition."""

LATEST, EARLIEST = -1, -2
"""The numbers for the ends of the log in Kafka's JSON of offsets."""


def parse_offsets(option: str, topic: str, firsts: Mapping[int, int], ends: Mapping[int, int]) -> Offsets:
    """Where `startingOffsets` begins: "earliest", "latest", or Kafka's JSON {"topic": {"0": 12, "1": -2, "2": -1}}.

    A partition that the JSON does not name starts at its earliest record. Raises ValueError when the option is none of
    these, names another topic or a partition that is not there, or an offset past the end.
    """
    if option.strip().lower() == "earliest":
        return dict(firsts)
    if option.strip().lower() == "latest":
        return dict(ends)
    offsets = dict(firsts)
    for name, offset in _offsets_by_name(option, topic).items():
        partition = int(name) if name.isdecimal() else -1
        if partition not in ends:
            raise ValueError(f"startingOffsets: topic {topic} has no partition {name}, it has {len(ends)} from 0.")
        if isinstance(offset, bool) or not isinstance(offset, int) or offset < EARLIEST or offset > ends[partition]:
            raise ValueError(
                f"startingOffsets: partition {partition} of topic {topic} ends before offset {ends[partition]}; "
                f"give a whole number up to that, {EARLIEST} for the earliest or {LATEST} for the latest."
            )
        if offset == LATEST:
            offsets[partition] = ends[partition]
        elif offset != EARLIEST:
            offsets[partition] = offset
    return offsets


def kafka_json(topic: str, offsets: Mapping[int, int]) -> str:
    """Kafka's JSON of the offsets."""
    return json.dumps({topic: {str(partition): offset for partition, offset in sorted(offsets.items())}})


def _offsets_by_name(option: str, topic: str) -> dict[str, object]:
    try:
        content = json.loads(option)
    except ValueError:
        content = None
    if not isinstance(content, dict) or list(content) != [topic] or not isinstance(content[topic], dict):
        raise ValueError(f'startingOffsets: give "earliest", "latest" or JSON {{"{topic}": {{"0": 12}}}}.')
    return dict(content[topic])


def batch_ends(start: Mapping[int, int], ends: Mapping[int, int], limit: int | None) -> Offsets:
    """Where a batch of about `limit` offsets ends: each partition's share is in proportion to its backlog.

    A share is rounded up, so that each partition with a backlog goes on by at least 1 and no small batch is left over;
    a batch has at most `limit` + the number of partitions. Without a limit it goes to the ends.
    """
    backlog = {partition: max(0, end - start.get(partition, 0)) for partition, end in ends.items()}
    total = sum(backlog.values())
    if limit is None or total <= limit:
        return dict(ends)
    return {partition: start.get(partition, 0) + -(-limit * waiting // total) for partition, waiting in backlog.items()}


def parse_time(option: str) -> datetime:
    """The time in `startingTimestamp`: milliseconds since the epoch, or ISO-8601 with a zone. Raises ValueError."""
    try:
        if option.strip().isdecimal():
            return datetime.fromtimestamp(int(option) / 1000, UTC)
        time = datetime.fromisoformat(option.strip())
    except (ValueError, OverflowError, OSError):
        time = datetime.min
    if time.tzinfo is None:
        raise ValueError("startingTimestamp: give milliseconds since the epoch or ISO-8601 with a zone, such as Z.")
    return time.astimezone(UTC)
