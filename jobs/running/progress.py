"""How far a run is, as lines on standard error."""

import sys
import time
from typing import Any

NONE_GOOD = "none of the"
"""Beginning of the note in the ledger of a batch without a good record."""


class Progress:
    """Lines on standard error about closed batches, at most one a second."""

    def __init__(self) -> None:
        self._start = self._reported = time.monotonic()
        self._records = self._batches = self._good = 0
        self._reasons = ""

    def count(self, name: str, row: Any, lag: int | None) -> None:
        """Count a ledger row, and print a line if the last one is a second old."""
        self._records += row.records
        self._batches += row.kind == "batch"
        self._good += row.records - getattr(row, "quarantined", 0) if row.kind == "batch" else 0
        self._reasons = next((note for note in getattr(row, "notes", ()) if note.startswith(NONE_GOOD)), self._reasons)
        if time.monotonic() - self._reported >= 1 and row.kind == "batch":
            self._reported = time.monotonic()
            left = "" if lag is None else f", lag {lag:,} records"
            print(f"{name}: {self.words()}{left}", file=sys.stderr, flush=True)

    def words(self) -> str:
        """What has been read so far."""
        seconds = time.monotonic() - self._start
        batches = "1 batch" if self._batches == 1 else f"{self._batches} batches"
        return f"{self._records:,} records, {self._records / seconds:,.0f} records/s, {batches}"

    @property
    def none_good(self) -> bool:
        """Whether records were read, and all are in quarantine."""
        return self._records > 0 and self._good == 0

    def end(self, name: str) -> None:
        """The last line."""
        print(f"{name}: {self.words() if self._batches else 'nothing new in the log'}", file=sys.stderr, flush=True)
        if self.none_good:
            print(
                f"headrace: {self._reasons or 'no record was good'}. See headrace doctor.", file=sys.stderr, flush=True
            )
