"""What a result that runs for weeks would leave behind: the small files of its ledger, and filters that were replaced.

Both tables are headrace's own. Panes, windows and rows are for readers: their OPTIMIZE and VACUUM are up to who keeps
the lakehouse.
"""

from deltalake import DeltaTable

from jobs.answers.result import Result
from jobs.running.places import Places

EVERY_ROWS = 200
"""Rows of the ledger between two times that it is done."""
KEPT_HOURS = 1
"""So long a file stays after it was replaced. Each batch replaces filters: at two batches a second that is gigabytes
within the hour. No reader needs one longer: a batch begins with those of the last ledger row, which are never old ones.
"""
SETTINGS = {
    "delta.deletedFileRetentionDuration": f"interval {KEPT_HOURS} hours",
    "delta.logRetentionDuration": "interval 1 days",
}
"""Of both tables: so long the checkpoints of Delta's log name what was replaced, and so long its older files stay."""


def after(places: Places, result: Result, sequence: int) -> None:
    """Do it if row `sequence` of the ledger, which has just been written, is one after which it is due."""
    if sequence % EVERY_ROWS:
        return
    DeltaTable(places.table(f"{result.name}_ledger")).optimize.compact()
    for name in ("ledger", "filters") if result.membership else ("ledger",):
        table = DeltaTable(places.table(f"{result.name}_{name}"))
        # full: names of files that were replaced long before are not in the log any more
        table.vacuum(KEPT_HOURS, dry_run=False, enforce_retention_duration=False, full=True)
