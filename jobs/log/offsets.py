"""Where a stream starts and how far a batch goes: arithmetic on {partition: next offset}, with no I/O."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

Offsets = dict[int, int]
"""The next offset to read of each partition."""

LATEST, EARLIEST = -1, -2
"""What stands for an end of the log in Kafka's JSON of offsets."""


def starting(option: str, topic: str, firsts: Mapping[int, int], ends: Mapping[int, int]) -> Offsets:
    """Where `startingOffsets` begins: "earliest", "latest", or Kafka's JSON {"topic": {"0": 12, "1": -2, "2": -1}}.

    A partition that the JSON does not name starts at its earliest record. Raises ValueError when the option is none of
    these, names another topic or a partition that is not there, or an offset past the end.
    """
    if option.strip().lower() == "earliest":
        return dict(firsts)
    if option.strip().lower() == "latest":
        return dict(ends)
    begun = dict(firsts)
    for name, offset in _named(option, topic).items():
        partition = int(name) if name.isdecimal() else -1
        if partition not in ends:
            raise ValueError(f"startingOffsets: topic {topic} has no partition {name}, it has {len(ends)} from 0.")
        if isinstance(offset, bool) or not isinstance(offset, int) or offset < EARLIEST or offset > ends[partition]:
            raise ValueError(
                f"startingOffsets: partition {partition} of topic {topic} ends before offset {ends[partition]}; "
                f"give a whole number up to that, {EARLIEST} for the earliest or {LATEST} for the latest."
            )
        if offset == LATEST:
            begun[partition] = ends[partition]
        elif offset != EARLIEST:
            begun[partition] = offset
    return begun


def positions(topic: str, offsets: Mapping[int, int]) -> str:
    """Kafka's JSON of the offsets."""
    return json.dumps({topic: {str(partition): offset for partition, offset in sorted(offsets.items())}})


def _named(option: str, topic: str) -> dict[str, object]:
    try:
        named = json.loads(option)
    except ValueError:
        named = None
    if not isinstance(named, dict) or list(named) != [topic] or not isinstance(named[topic], dict):
        raise ValueError(f'startingOffsets: give "earliest", "latest" or JSON {{"{topic}": {{"0": 12}}}}.')
    return dict(named[topic])


def share(start: Mapping[int, int], ends: Mapping[int, int], limit: int | None) -> Offsets:
    """How far a batch of about `limit` offsets goes: each partition's share is in proportion to its backlog.

    Rounded up, so that a partition with a backlog goes on by at least 1 and no batch of a few is left over at the end;
    a batch is at most `limit` + the number of partitions. No limit goes to the ends.
    """
    backlog = {partition: max(0, end - start.get(partition, 0)) for partition, end in ends.items()}
    total = sum(backlog.values())
    if limit is None or total <= limit:
        return dict(ends)
    return {partition: start.get(partition, 0) + -(-limit * waiting // total) for partition, waiting in backlog.items()}


def since(option: str) -> datetime:
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
