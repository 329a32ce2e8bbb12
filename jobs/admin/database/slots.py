"""Replication slots: how far a connector has read the database's log, and what is wrong with its slot."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

_SLOT = """
select s.slot_name, s.active, coalesce(s.wal_status, ''), s.safe_wal_size,
  (s.confirmed_flush_lsn - '0/0'::pg_lsn)::bigint, ({lsn} - '0/0'::pg_lsn)::bigint
from pg_replication_slots s where s.slot_type = 'logical' and s.database = current_database()
"""
LSN = "case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end"
"""The place that all visible commits are before. A commit may be seen before it is written."""
MESSAGE = "select pg_logical_emit_message(true, 'headrace', '')"


@dataclass(frozen=True)
class Slot:
    """A logical replication slot of the database."""

    name: str
    is_active: bool
    """Whether a connector reads it now."""
    wal_status: str
    """reserved, extended, unreserved (its log may be removed at any time), or lost."""
    safe_wal_size: int | None
    """Bytes that may be written before its log is removed; None: without bound."""
    confirmed_lsn: int | None
    """The connector has all commits before it in Kafka."""
    current_lsn: int
    """Of the database."""

    @property
    def bytes_behind(self) -> int:
        """Of the log, that the connector has not confirmed."""
        return self.current_lsn - (self.confirmed_lsn or 0)


def read(connection: "psycopg.Connection[Any]") -> list[Slot]:
    """The logical slots of the database. Any user may see them."""
    return [Slot(*row) for row in connection.execute(_SLOT.format(lsn=LSN).encode())]


def lsn_text(lsn: int) -> str:
    """A place in the log as PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
