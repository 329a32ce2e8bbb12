"""How far a run is, as lines on standard error."""

import time
from typing import Any

from jobs.running import diagnostics

NONE_GOOD = "none of the"
"""Beginning of the note in the ledger of a batch without a good record."""


class Progress:
    """Lines on standard error about closed batches, at most one a second."""

    def __init__(self) -> None:
        self._start = self._reported = time.monotonic()
        self._records = self._batches = self._good = 0
        self._reasons = ""
        self._quarantined: dict[str, int] = {}  # records of this run, by result

    def count(self, name: str, row: Any, lag: int | None) -> None:
        """Count a ledger row, and print a line if the last one is a second old."""
        self._records += row.records
        self._batches += row.kind == "batch"
        bad = getattr(row, "quarantined", 0) if row.kind == "batch" else 0
        self._good += row.records - bad if row.kind == "batch" else 0
        if bad:
            self._quarantined[name] = self._quarantined.get(name, 0) + bad
        self._reasons = next((note for note in getattr(row, "notes", ()) if note.startswith(NONE_GOOD)), self._reasons)
        if time.monotonic() - self._reported >= 1 and row.kind == "batch":
            self._reported = time.monotonic()
            left = "" if lag is None else f", lag {lag:,} records"
            diagnostics.inform(f"{name}: {self.words()}{left}", **self._fields(name), lag=lag)

    def words(self) -> str:
        """What has been read so far."""
        batches = "1 batch" if self._batches == 1 else f"{self._batches} batches"
        return f"{self._records:,} records, {self._per_second():,.0f} records/s, {batches}"

    @property
    def none_good(self) -> bool:
        """Whether records were read, and all are in quarantine."""
        return self._records > 0 and self._good == 0

    def end(self, name: str, is_early: bool = False) -> None:
        """The last line; `is_early`: the run was stopped before the end of the log."""
        words = self.words() if self._batches else "no batch" if is_early else "nothing new in the log"
        end = "; stopped before the end of the log, the next run goes on from there" if is_early else ""
        diagnostics.inform(f"{name}: {words}{end}", **self._fields(name))
        if self.none_good:
            diagnostics.warn(f"{self._reasons or 'no record was good'}. See headrace doctor.")
            return
        for result, bad in self._quarantined.items():
            waits = "record is" if bad == 1 else "records are"
            diagnostics.warn(
                f"{bad:,} {waits} not in the numbers of {result}: `headrace quarantine {result}` says why."
            )

    def _per_second(self) -> float:
        return self._records / (time.monotonic() - self._start)

    def _fields(self, name: str) -> dict[str, Any]:
        """What the line says, for those who take it apart."""
        numbers = {"records": self._records, "records_per_second": round(self._per_second(), 1)}
        return {"name": name, **numbers, "batches": self._batches}
