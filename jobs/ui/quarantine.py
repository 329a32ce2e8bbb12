"""Records in quarantine: why they are there and where they stand in the log; what is in them only on request."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from jobs.answers import table_names
from jobs.lake import delta_tables, table_queries
from jobs.running.places import Places

MOST_RECORDS = 100
"""So many records are listed, those that came last."""
SHOWN_BYTES = 2_000
"""So much is shown of a value."""


@dataclass(frozen=True)
class QuarantinedRecord:
    """A record that waits."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None
    reason: str
    field: str | None
    value_bytes: int | None
    """Length of its value; None: it has none."""
    key: str | None = None
    """What is in its key, and below in its value, if that is shown; what is no UTF-8 has the sign for it."""
    value: str | None = None


def records(places: Places, name: str, reason: str | None, show_values: bool) -> list[QuarantinedRecord]:
    """The records that wait, for one reason or all; those that were put there last come first."""
    table = delta_tables.find(places.table(table_names.table(name, "quarantine")))
    if table is None:
        return []
    literal = "" if reason is None else " and reason = '" + reason.replace("'", "''") + "'"
    sql = (
        'select topic, partition, "offset", "timestamp", reason, field, "key", "value" from it '
        f"where requeued_sequence is null{literal} "
        f'order by sequence desc, topic, partition, "offset" desc limit {MOST_RECORDS}'
    )
    return [_record(row, show_values) for row in table_queries.query(table, sql).to_pylist()]


def _record(row: dict[str, Any], show_values: bool) -> QuarantinedRecord:
    key, value = row.pop("key"), row.pop("value")
    found = QuarantinedRecord(**row, value_bytes=None if value is None else len(value))
    return replace(found, key=_text(key), value=_text(value)) if show_values else found


def _text(content: bytes | None) -> str | None:
    return None if content is None else content[:SHOWN_BYTES].decode("utf-8", "replace")
