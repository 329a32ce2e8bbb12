"""Removes what a result that runs for weeks would leave behind: small files of its ledger, and replaced filters.

Both tables are headrace's own. Panes, windows and rows are for readers: whoever runs the lakehouse optimises and
vacuums those.
"""

from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.answers.table_names import TableKind
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


def compact_if_due(places: Places, result: Result, sequence: int) -> bool:
    """Compact and vacuum after every EVERY_ROWS-th ledger row; `sequence` is that of the last. Returns whether it was
    one.
    """
    if sequence % EVERY_ROWS:
        return False
    DeltaTable(places.table(result.table("ledger"))).optimize.compact()
    own: tuple[TableKind, ...] = ("ledger", "filters") if result.membership else ("ledger",)
    for kind in own:
        table = DeltaTable(places.table(result.table(kind)))
        # full: the log no longer names files that were replaced long before
        table.vacuum(REPLACED_FILES_HOURS, dry_run=False, enforce_retention_duration=False, full=True)
    return True
