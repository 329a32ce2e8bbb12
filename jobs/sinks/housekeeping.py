"""What a result that runs for weeks would leave behind: the small files of its ledger, and filters that were replaced.

Both tables are headrace's own. Panes, windows and rows are for readers: their OPTIMIZE and VACUUM are up to who keeps
the lakehouse.
"""

from deltalake import DeltaTable

from jobs.run import Places
from jobs.sinks import ledger
from jobs.transforms.result import Result

EVERY_ROWS = 200
"""Rows of the ledger between two times that it is done."""
KEPT_HOURS = 1
"""So long a filter stays after it was replaced. Each batch replaces some: at two batches a second that is gigabytes
within the hour. No reader needs one longer: a batch begins with those of the last ledger row, which are never old ones.
"""
SETTINGS_OF_FILTERS = {"delta.deletedFileRetentionDuration": f"interval {KEPT_HOURS} hours"}
"""So long, too, each checkpoint of the table's log names the files that were replaced."""


def after(places: Places, result: Result, sequence: int) -> None:
    """Do it if row `sequence` of the ledger, which has just been written, is one after which it is due."""
    if sequence % EVERY_ROWS:
        return
    rows = DeltaTable(ledger.path(places, result.name))
    rows.optimize.compact()
    rows.vacuum(dry_run=False)
    if result.membership:
        filters = DeltaTable(places.table(f"{result.name}_filters"))
        # full: names of files that were replaced long before are not in the log any more
        filters.vacuum(KEPT_HOURS, dry_run=False, enforce_retention_duration=False, full=True)
