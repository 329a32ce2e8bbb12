"""What is known of a result without Java: its ledger, its quarantine, its tables' logs, and the ends of the log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.run import Places
from jobs.sinks import ledger, tables
from jobs.sinks.ledger import Row
from jobs.sources.archive import Snapshot
from jobs.sources.tables import query

LEDGER = "_ledger"
TABLES = ("", "_panes", "_filters", "_quarantine", LEDGER)
"""Endings of the names of a result's tables."""


@dataclass(frozen=True)
class Facts:
    """How far a result is, and how well it is."""

    name: str
    last: Row
    topic: str
    records: int
    """Records read from the log, good and bad; those that were requeued are counted once."""
    waiting: int
    """Records in quarantine."""
    requeued: int
    out_of_order: int
    late: int
    lateness: tuple[float, float, float]
    """p50, p99 and maximum of all good records, seconds."""
    batch_time: datetime | None
    unpublished: int
    """Batches whose panes are not in the windows yet."""
    notes: tuple[str, ...]
    offsets: dict[int, tuple[int, int | None]]
    """By partition, the next offset of the job and that of the log (None: the log cannot be read)."""
    lag: int | None
    lag_minutes: float | None
    reasons: list[tuple[str, str | None, int, int]]
    """(reason, field, waiting, requeued)"""
    tables: list[tuple[str, int | None, int, str]]
    """(name, rows, version, path)"""

    @property
    def last_batch(self) -> str:
        """When the last batch was closed."""
        return "-" if self.batch_time is None else f"{self.batch_time:%Y-%m-%d %H:%M:%S}"

    @property
    def lag_shown(self) -> str:
        """Records that the job has not read."""
        return "unknown" if self.lag is None else f"{self.lag:,}"

    @property
    def lag_minutes_shown(self) -> str:
        """Minutes of record time that the job has not read."""
        return "unknown" if self.lag_minutes is None else f"{self.lag_minutes:,.1f}"

    @property
    def published(self) -> str:
        """Whether the windows hold every batch."""
        if not self.last.definition.get("windows"):
            return "-"
        return f"{self.unpublished} batches behind" if self.unpublished else "up to date"


def results(places: Places) -> list[str]:
    """The names of the results in the folder of tables; raises OSError if it cannot be read."""
    from pyarrow import fs

    if "://" in places.tables:
        system, path = fs.FileSystem.from_uri(places.tables)
    else:
        system, path = fs.LocalFileSystem(), places.tables
    found = system.get_file_info(fs.FileSelector(path, allow_not_found=True))
    folders = sorted(info.base_name for info in found if info.type == fs.FileType.Directory)
    return [name.removesuffix(LEDGER) for name in folders if name.endswith(LEDGER)]


def of(places: Places, name: str) -> Facts | str:
    """The facts of result `name`; or, in words, why they cannot be read."""
    try:
        last = ledger.last(places, name)
        return "has no rows in its ledger yet: run its job." if last is None else _facts(places, name, last)
    except Exception as error:  # deltalake raises many kinds for a damaged table
        why = " ".join(str(error).split())[:200]
        return f"cannot be read: {why}"


COLUMNS = "sequence, kind, generation, records, quarantined, out_of_order, late, lateness_sketch, notes, committed_time"


def _facts(places: Places, name: str, last: Row) -> Facts:
    rows = query(places, f'select {COLUMNS} from "{name}{LEDGER}" order by sequence', f"{name}{LEDGER}").to_pylist()
    batches = [row for row in rows if row["kind"] == "batch"]
    again = sum(row["records"] for row in rows if row["kind"] == "requeue")
    records, waiting = sum(row["records"] for row in batches), sum(row["quarantined"] for row in rows)
    sketches = [row["lateness_sketch"] for row in rows if row["lateness_sketch"]]
    # Those that were requeued have no lateness: it is measured when the log is read.
    _, half, most, latest = ledger.lateness(sketches, records - sum(row["quarantined"] for row in batches))
    unpublished = [r for r in rows if r["kind"] in ("batch", "requeue") and r["sequence"] > last.published_sequence]
    offsets, lag, minutes = _lag(places, last)
    return Facts(
        name,
        last,
        last.definition.get("topic", ""),
        records,
        waiting,
        again,
        sum(row["out_of_order"] for row in rows),
        sum(row["late"] for row in rows),
        (half, most, latest),
        batches[-1]["committed_time"] if batches else None,
        len(unpublished) if last.definition.get("windows") else 0,
        tuple(note for row in rows if row["generation"] == last.generation for note in row["notes"] or ()),
        offsets,
        lag,
        minutes,
        _reasons(places, name),
        [_table(places, f"{name}{ending}") for ending in TABLES if tables.find(places.table(f"{name}{ending}"))],
    )


def _lag(places: Places, last: Row) -> tuple[dict[int, tuple[int, int | None]], int | None, float | None]:
    topic, read = last.definition.get("topic", ""), last.end_offsets
    try:
        log = Snapshot(places.archive, topic).refresh()
    except Exception:  # the archive is away or damaged: what the ledger says is shown all the same
        log = None
    if log is None or not log.ends:
        return {partition: (offset, None) for partition, offset in read.items()}, None, None
    firsts = log.firsts()
    at = {partition: max(read.get(partition, 0), firsts[partition]) for partition in log.ends}
    lag = sum(max(0, end - at[partition]) for partition, end in log.ends.items())
    offsets: dict[int, tuple[int, int | None]] = {p: (read.get(p, 0), end) for p, end in log.ends.items()}
    if not lag or not log.files:
        return offsets, lag, 0.0
    newest = max(file.last_time for file in log.files)
    begun = last.record_time or min(file.first_time for file in log.files)
    return offsets, lag, max(0.0, (newest - begun).total_seconds() / 60)


def _reasons(places: Places, name: str) -> list[tuple[str, str | None, int, int]]:
    quarantine = f"{name}_quarantine"
    counted = query(
        places,
        f'select reason, field, count(*) as records, count(requeued_sequence) as requeued from "{quarantine}" '
        "group by reason, field order by reason, field",
        quarantine,
    )
    return [(r["reason"], r["field"], r["records"] - r["requeued"], r["requeued"]) for r in counted.to_pylist()]


def _table(places: Places, name: str) -> tuple[str, int | None, int, str]:
    """Rows from the statistics of the table's log; None if a file has none."""
    import pyarrow as pa

    path = places.table(name)
    table = tables.find(path)
    assert table is not None
    files: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    counts = [file.get("num_records") for file in files]
    rows = None if None in counts else sum(count for count in counts if count is not None)
    return name, rows, table.version(), path
