"""Has a result published all that the database had committed up to a place of its log?

It has, when the connector has confirmed that place to its slot, as it does once the changes before it are in Kafka, and
the result has then read what the topic holds, and published it. A connector confirms what it has sent, so of a quiet
database nothing: two empty messages in the database's log move it.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.admin.database import slots
from jobs.admin.database.slots import Slot
from jobs.keeping import ledger
from jobs.log import home
from jobs.log.kafka import home as kafka_home
from jobs.running.errors import Refused
from jobs.running.places import Places

if TYPE_CHECKING:
    import psycopg

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Arrival:
    """Of the changes of one topic in one result."""

    places: Places
    name: str
    """Of the result."""
    topics: tuple[str, ...]
    """All that it reads."""
    topic: str
    slot: str | None
    """The name of the connector's slot; None: that of the database's only one."""

    def wait(
        self, connection: "psycopg.Connection[Any]", lsn: int, until: float, say: Callable[[str], None]
    ) -> str | None:
        """Wait until what was committed before `lsn` is published, or for the moment `until` of the monotonic clock.
        Returns None if it is, else what has not arrived.
        """
        _move(connection)
        lacks = self._wait_for(lambda: self._missing_confirmation(connection, lsn), until, say)
        if lacks:
            return lacks
        ends = self._ends()
        return self._wait_for(lambda: self._missing_publish(ends), until, say)

    def _wait_for(self, check: Callable[[], str | None], until: float, say: Callable[[str], None]) -> str | None:
        lacks = check()
        if lacks:
            say(f"waits: {lacks}")
        while lacks and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
            lacks = check()
        return lacks

    def _missing_confirmation(self, connection: "psycopg.Connection[Any]", lsn: int) -> str | None:
        found = slots.read(connection)
        named = [slot for slot in found if slot.name == self.slot or (self.slot is None and len(found) == 1)]
        if not named:
            known = f"there are {', '.join(slot.name for slot in found)}" if found else "there is none"
            which = f"slot {self.slot} is not there" if self.slot else "which slot is the connector's is not known"
            return f"{which} ({known}), so nothing tells how far the connector is. Name it with --slot"
        return _slot_lag(named[0], lsn)

    def _ends(self) -> Mapping[int, int]:
        """By partition, where the topic ends: in Kafka, if the places file names one, as a copy may be behind."""
        ends = home.topic(self.places, self.topic).ends
        if self.places.log == "archive" and self.places.kafka:
            try:
                return dict(ends) | kafka_home.topic(self.places, self.topic).ends
            except Refused:
                return ends
        return ends

    def _missing_publish(self, ends: Mapping[int, int]) -> str | None:
        last = ledger.last(self.places, self.name)
        read = last.positions(self.topics)[self.topic].end_offsets if last else {}
        behind = sum(max(0, end - read.get(partition, 0)) for partition, end in ends.items())
        if behind:
            return f"{self.name} has not read {behind:,} records of topic {self.topic}. Is its job at work?"
        if last is None or not last.is_published:
            return f"{self.name} has read all of topic {self.topic}, and not published it yet"
        return None


def _slot_lag(slot: Slot, lsn: int) -> str | None:
    if slot.confirmed_lsn is not None and slot.confirmed_lsn >= lsn:
        return None
    at = "nothing" if slot.confirmed_lsn is None else slots.lsn_text(slot.confirmed_lsn)
    asleep = "" if slot.is_active else ", and no connector reads it now"
    return f"slot {slot.name} has confirmed {at}, the snapshot is at {slots.lsn_text(lsn)}{asleep}"


def _move(connection: "psycopg.Connection[Any]") -> None:
    """Two messages: a connector confirms the commit before the transaction that it has sent last."""
    import psycopg

    try:
        for _ in range(2):
            connection.execute(slots.MESSAGE)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState):
        return  # a standby, or a user who may not: then the database's own work moves it
    except psycopg.errors.ReadOnlySqlTransaction:
        return
