"""Removes what a result that runs for weeks would leave behind: small files of its ledger, replaced filters, and kept
events that no answer needs any more.

These tables are headrace's own. Panes, windows and rows are for readers: whoever runs the lakehouse optimises and
vacuums those.
"""

import json
from datetime import datetime, timedelta

from deltalake import CommitProperties, DeltaTable

from jobs.answers.result import Result
from jobs.answers.table_names import TableKind
from jobs.keeping.steps import Step
from jobs.running.instants import EPOCH, sql_literal
from jobs.running.places import Places

EVERY_ROWS = 200
"""Rows of the ledger from one time to the next."""
REPLACED_FILES_HOURS = 1
"""How long a file stays after it was replaced. Each batch replaces filters: at two batches a second that is gigabytes
within the hour. No reader needs a file longer: a batch begins with the filters of the last ledger row, which were not
replaced by a batch that is closed.
"""
SETTINGS = {
    "delta.deletedFileRetentionDuration": f"interval {REPLACED_FILES_HOURS} hours",
    "delta.logRetentionDuration": "interval 1 days",
}
"""Delta's table properties of both tables: how long its checkpoints name replaced files, and how long the older files
of its log stay."""


def compact_if_due(places: Places, result: Result, sequence: int, stream_time: datetime | None) -> bool:
    """Compact and vacuum after every EVERY_ROWS-th ledger row; `sequence` is that of the last. `stream_time`: the least
    of all partitions. Returns whether it was such a row.
    """
    if sequence % EVERY_ROWS:
        return False
    DeltaTable(places.table(result.table("ledger"))).optimize.compact()
    if result.event_answers and stream_time:
        for topic in result.topics:
            _expire(places.table(result.events_table(topic)), stream_time - timedelta(seconds=kept_seconds(result)))
    own: tuple[TableKind, ...] = ("ledger", "filters") if result.membership else ("ledger",)
    events = [result.events_table(topic) for topic in result.topics] if result.event_answers else []
    for name in [*map(result.table, own), *events]:
        table = DeltaTable(places.table(name))
        # full: the log no longer names files that were replaced long before
        table.vacuum(REPLACED_FILES_HOURS, dry_run=False, enforce_retention_duration=False, full=True)
    return True


def kept_seconds(result: Result) -> int:
    """How far behind stream time an event is kept: a record that is just not too late may be so late, and its answers
    reach back from it, as do rows that fall due a while after it.
    """
    kept = result.lateness_rule.kept_seconds
    assert kept is not None
    reach = max(sum(answer.reach) for answer in result.event_answers)
    longest = max(wait for answer in result.event_answers for _, wait in answer.waits)
    return kept + -(-(2 * reach + longest) // 1_000_000) + 1


def _expire(path: str, before: datetime) -> None:
    """Remove the events before that time, and put small files together."""
    if before < EPOCH:
        return
    table = DeltaTable(path)
    # No sequence: recovery and the ledger look at commits of batches, and no batch needs these events.
    metadata = {"userMetadata": json.dumps({"step": Step.EXPIRE})}
    table.delete(f"event_time < {sql_literal(before)}", commit_properties=CommitProperties(custom_metadata=metadata))
    DeltaTable(path).optimize.compact()
