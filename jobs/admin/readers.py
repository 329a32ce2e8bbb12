"""The results that read a topic, according to their ledgers, and how far they have read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jobs.events.changes.keyed_rows import ROWS
from jobs.keeping import ledger
from jobs.running.errors import Refused
from jobs.running.places import Places

COUNTING = ("panes", "membership", "clocks", "answers")
"""A result with one of these needs every record of the topic."""


@dataclass(frozen=True)
class Reader:
    """A result that reads the topic."""

    name: str
    read: dict[int, int]
    """By partition, the next offset that it reads. A partition that is not here is read from its offset 0."""
    counts_every_record: bool


def find(places: Places, topic: str, keeps: Callable[[str], bool]) -> list[Reader]:
    """The results in the folder of tables that read the topic from the archive, or from the Kafka topic of which the
    archive holds a copy.

    `keeps` says whether it holds a copy of the Kafka topic with an id. Raises Refused if a ledger cannot be read: then
    nobody knows what its result has read.
    """
    readers = []
    for name in ledger.results(places):
        try:
            last = ledger.last(places, name)
        except Exception as error:  # deltalake raises many kinds for a damaged table
            raise Refused(
                f"the ledger {ledger.path(places, name)} cannot be read, so nobody knows what {name} has read "
                f"({type(error).__name__}). Mend it, or move the tables of {name} away."
            ) from None
        topics = () if last is None else (last.definition.get("topic", ""), *last.further_topics)
        if last is None or topic not in topics:
            continue
        position = last.positions(topics)[topic]
        if last.log_home in ("", "archive") or keeps(position.topic_id):
            counts = any(last.definition.get(what, "None") != "None" for what in COUNTING)
            counts &= not _needs_last_record(last.definition)
            readers.append(Reader(name, position.end_offsets, counts))
    return readers


def _needs_last_record(definition: Mapping[str, str]) -> bool:
    """Whether a result, defined so in its ledger, has nothing but the latest rows of records that are rows."""
    answers = definition.get("answers", "").split("; ")
    return definition.get("form") == ROWS.name and all(answer.startswith("Latest(") for answer in answers)


def read_by_all(readers: list[Reader], ends: dict[int, int]) -> dict[int, int]:
    """By partition, the offset below which every reader has read; the end if there are no readers."""
    return {
        partition: min([end, *(reader.read.get(partition, 0) for reader in readers)]) for partition, end in ends.items()
    }
