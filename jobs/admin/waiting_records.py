"""The records that wait in the quarantine of a result: how many for which reason, and which they are."""

from typing import Any

from jobs.admin import standing
from jobs.answers import table_names
from jobs.lake.table_queries import text_literal
from jobs.publishing.results import query
from jobs.running.errors import Refused
from jobs.running.places import Places

COLUMNS = ("topic", "partition", "offset", "timestamp", "reason", "field")
"""Where a record is in the log, its record timestamp, and why it waits."""
CONTENT = ("key", "value")
"""What came from whoever wrote it: shown on request alone."""

Reason = tuple[str, str | None, int, int]
"""(reason, field, waiting, requeued)"""


def reasons(places: Places, name: str, reason: str | None) -> list[Reason]:
    """By reason and field. Raises Refused if no record came for this reason."""
    found = standing.reasons(places, name)
    if reason is None:
        return found
    chosen = [each for each in found if each[0] == reason]
    if not chosen:
        known = ", ".join(dict.fromkeys(each[0] for each in found)) or "no records at all"
        raise Refused(f"no record of {name} is in quarantine for {reason}; there are {known}.")
    return chosen


def records(places: Places, name: str, reason: str | None, limit: int, *, with_content: bool) -> list[dict[str, Any]]:
    """At most `limit` of those that wait, the newest first, with COLUMNS, and CONTENT if asked for."""
    table = table_names.table(name, "quarantine")
    columns = ", ".join(f'"{column}"' for column in (*COLUMNS, *(CONTENT if with_content else ())))
    chosen = "" if reason is None else f" and reason = {text_literal(reason)}"
    sql = (
        f'select {columns} from "{table}" where requeued_sequence is null{chosen} '
        f'order by "timestamp" desc nulls last, topic, "partition", "offset" desc limit {limit}'
    )
    found: list[dict[str, Any]] = query(places, sql, table).to_pylist()
    return found
