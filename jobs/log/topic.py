"""A topic of the log, in whichever home: what it holds, and the rules for its name and its number of partitions."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.running.errors import Refused

DEFAULT_PARTITIONS = 4
MOST_NAMES = 5
"""So many topics are named in a message."""
NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@dataclass(frozen=True)
class Topic:
    """A topic as its home has it now."""

    id: str
    """Kafka's id: another one when the topic is deleted and made again. Empty in the archive."""
    firsts: dict[int, int]
    """By partition, the offset of the earliest record that is still there."""
    ends: dict[int, int]
    """By partition, the offset after the last record that a reader of committed records may see."""


@dataclass(frozen=True)
class Extent:
    """What one partition holds. Offsets and times are None when it holds nothing."""

    partition: int
    first_offset: int | None
    last_offset: int | None
    records: int
    first_time: datetime | None
    last_time: datetime | None


def check_name(topic: str) -> None:
    """Refuse what is not a name of a Kafka topic; such a name is also a safe name of a folder."""
    if not NAME.fullmatch(topic) or topic in (".", ".."):
        raise Refused("a topic's name has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is not . or ..")


def partition_count(topic: str, place: str, wanted: int | None, existing: int) -> int:
    """The number of partitions to use: the `existing` ones (0: there is no such topic yet), else those that are
    wanted, else DEFAULT_PARTITIONS. `place` says where the topic is: "in FOLDER", "on BROKER".

    Raises Refused when `wanted` is not possible.
    """
    if wanted is not None and wanted < 1:
        raise Refused(f"topic {topic}: a topic has 1 partition or more, not {wanted}.")
    if wanted is not None and existing not in (0, wanted):
        raise Refused(
            f"topic {topic} {place} has {existing} partitions, not {wanted}: keys would move. "
            f"Leave the number out or give {existing}."
        )
    return wanted or existing or DEFAULT_PARTITIONS


def others(topic: str, known: Sequence[str]) -> str:
    """What to do about a topic that is not there, where there are these: it may be misspelled."""
    if not known:
        return f"fill it with `headrace produce {topic} FILE`."
    alike = difflib.get_close_matches(topic, known, 1)
    begin = f"did you mean {alike[0]}? There" if alike else "there"
    more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return f"{begin} are {', '.join(known[:MOST_NAMES])}{more}; `headrace produce {topic} FILE` fills a new one."
