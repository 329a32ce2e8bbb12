"""What is wrong with the replication slot by which a result's changes come out of the database."""

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.admin.database import connection, slots
from jobs.admin.database.slots import Slot
from jobs.running import one_look
from jobs.running.errors import Refused
from jobs.running.places import Places

FAR_BEHIND = 2**30
"""Bytes of the database's log that a slot may be behind before it is noted."""
NEW_SNAPSHOT = (
    "changes since then come in no record: let the connector take a new snapshot (delete its offsets), which sets all "
    "rows right; then headrace verify"
)


@dataclass(frozen=True)
class SlotFinding:
    """`wrong`: unless somebody acts, changes are lost, or come no more."""

    wrong: bool
    what: str
    remedy: str


def examine(places: Places, topic: str) -> Iterator[SlotFinding]:
    """What is found about the slot of the database that a topic's name begins with, if the places file names it.
    Within a look the database is asked once for all topics.
    """
    name = next((name for name in places.databases if topic.startswith(f"{name}.")), None)
    if name is None:
        return
    found = one_look.recall(("slots", name), lambda: _slots(places, name), in_all=True)
    if isinstance(found, Refused):
        yield SlotFinding(False, f"the replication slot of the database {name} cannot be looked at", str(found))
        return
    database = connection.find(places, name, name)
    slot = next((each for each in found if each.name == database.slot), None)
    if slot is None:
        known = f"; it has {', '.join(each.name for each in found)}" if found else ""
        what = f"the database {name} has no replication slot {database.slot}{known}: it was dropped, or is another one"
        remedy = f"name the connector's slot.name in [databases.{name}]. If it was dropped, {NEW_SNAPSHOT}"
        yield SlotFinding(True, what, remedy)
        return
    yield from _findings(name, slot)


def _slots(places: Places, name: str) -> list[Slot] | Refused:
    """Those of a database; or why it does not say: a command asks it once, whatever the answer is."""
    try:
        with connection.open_connection(connection.find(places, name, name)) as opened:
            return slots.read(opened)
    except Refused as error:
        return error


def _findings(name: str, slot: Slot) -> Iterator[SlotFinding]:
    this = f"the replication slot {slot.name} of the database {name}"
    behind = f"is {slot.bytes_behind / 2**20:,.1f} MiB of the database's log behind"
    if slot.wal_status == "lost":
        what = f"{this} is lost: PostgreSQL has removed the log that the connector had not read"
        yield SlotFinding(True, what, f"drop the slot, raise max_slot_wal_keep_size; {NEW_SNAPSHOT}")
        return
    if slot.wal_status == "unreserved" or (slot.safe_wal_size is not None and slot.safe_wal_size < slot.bytes_behind):
        more = slot.safe_wal_size or 0
        left = f"after {more / 2**20:,.1f} MiB more" if more > 0 else "at any time"
        what = f"{this} {behind}, and PostgreSQL removes that log {left}: then the slot is lost"
        remedy = "let the connector run, or raise max_slot_wal_keep_size and reload PostgreSQL"
        yield SlotFinding(True, what, remedy)
    elif slot.bytes_behind > FAR_BEHIND:
        remedy = "look at the connector: PostgreSQL keeps that log on its disk. Of a quiet table: heartbeat.interval.ms"
        yield SlotFinding(False, f"{this} {behind}", remedy)
    if not slot.is_active:
        what = f"no connector reads {this}, which {behind}: no change comes, and PostgreSQL keeps its log on its disk"
        yield SlotFinding(True, what, "start the connector; if there is to be none any more, drop the slot")
