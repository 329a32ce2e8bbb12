"""Records in quarantine, as `headrace quarantine` finds them; what is in them only on request."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.admin import waiting_records
from jobs.running.places import Places

MOST_RECORDS = 100
"""So many records are listed, the newest ones."""
SHOWN_BYTES = 2_000
"""So much is shown of a key or value."""


@dataclass(frozen=True)
class QuarantinedRecord:
    """A record that waits."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime | None
    reason: str
    field: str | None
    key: str | None = None
    """What is in its key, and below in its value, if that is shown; what is no UTF-8 has the sign for it."""
    value: str | None = None


def records(places: Places, name: str, reason: str | None, show_values: bool) -> list[QuarantinedRecord]:
    """The records that wait, for one reason or all, the newest first."""
    rows = waiting_records.records(places, name, reason, MOST_RECORDS, with_content=show_values)
    return [QuarantinedRecord(**{name: _text(value) for name, value in row.items()}) for row in rows]


def _text(value: Any) -> Any:
    """Bytes as a text."""
    return value[:SHOWN_BYTES].decode("utf-8", "replace") if isinstance(value, bytes) else value
