"""What is known of a result without Java: its ledger, its quarantine, its tables' logs, and the ends of the log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jobs.answers import table_names
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind
from jobs.lake import delta_tables as tables
from jobs.log import home
from jobs.log.archive.snapshot import Ends
from jobs.publishing.results import query
from jobs.running.places import Places


@dataclass(frozen=True)
class Lag:
    """What the job has not read. Unknown (None) while the log cannot be read."""

    offsets: dict[int, tuple[int, int | None]]
    """By partition, the next offset of the job and that of the log."""
    records: int | None
    minutes: float | None
    """Of record time."""
    deleted_time: datetime | None
    """When the log begins to delete what is not read; None: it does not, or nothing waits."""

    @property
    def records_shown(self) -> str:
        """Records that the job has not read."""
        return "unknown" if self.records is None else f"{self.records:,}"

    @property
    def minutes_shown(self) -> str:
        """Minutes of record time that the job has not read."""
        return "unknown" if self.minutes is None else f"{self.minutes:,.1f}"


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
    lag: Lag
    reasons: list[tuple[str, str | None, int, int]]
    """(reason, field, waiting, requeued)"""
    tables: list[tuple[str, int | None, int, str]]
    """(name, rows, version, path)"""

    @property
    def last_batch(self) -> str:
        """When the last batch was closed."""
        return "-" if self.batch_time is None else f"{self.batch_time:%Y-%m-%d %H:%M:%S}"

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
    ending = table_names.ending("ledger")
    return [name.removesuffix(ending) for name in folders if name.endswith(ending)]


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
    table = table_names.table(name, "ledger")
    rows = query(places, f'select {COLUMNS} from "{table}" order by sequence', table).to_pylist()
    batches = [row for row in rows if row["kind"] == Kind.BATCH]
    again = sum(row["records"] for row in rows if row["kind"] == Kind.REQUEUE)
    records, waiting = sum(row["records"] for row in batches), sum(row["quarantined"] for row in rows)
    sketches = [row["lateness_sketch"] for row in rows if row["lateness_sketch"]]
    # Those that were requeued have no lateness: it is measured when the log is read.
    _, half, most, latest = ledger.lateness(sketches, records - sum(row["quarantined"] for row in batches))
    unpublished = [
        r for r in rows if r["kind"] in (Kind.BATCH, Kind.REQUEUE) and r["sequence"] > last.published_sequence
    ]
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
        _lag(places, last),
        _reasons(places, name),
        [_table(places, each) for each in table_names.all_tables(name) if tables.find(places.table(each))],
    )


def _lag(places: Places, last: Row) -> Lag:
    topic, read = last.definition.get("topic", ""), last.end_offsets
    try:
        ends = home.ends(places, topic)
        deleted = home.retention_deadline(places, topic, read)
    except Exception:  # the log is away or damaged: what the ledger says is shown all the same
        return Lag({partition: (offset, None) for partition, offset in read.items()}, None, None, None)
    after = {each.partition: _after(each, read) for each in ends}
    at = {each.partition: max(read.get(each.partition, 0), each.first_offset or 0) for each in ends}
    waiting = sum(max(0, after[partition] - at[partition]) for partition in after)
    offsets: dict[int, tuple[int, int | None]]
    offsets = {partition: (read.get(partition, 0), end) for partition, end in after.items()}
    newest = max((each.last_time for each in ends if each.last_time), default=None)
    begun = last.record_time or min((each.first_time for each in ends if each.first_time), default=None)
    if not waiting or newest is None or begun is None:
        return Lag(offsets, waiting, 0.0, None)
    return Lag(offsets, waiting, max(0.0, (newest - begun).total_seconds() / 60), deleted)


def _after(ends: Ends, read: dict[int, int]) -> int:
    """The offset after the last of a partition; of one that holds nothing any more, what was read."""
    return read.get(ends.partition, 0) if ends.last_offset is None else ends.last_offset + 1


def _reasons(places: Places, name: str) -> list[tuple[str, str | None, int, int]]:
    quarantine = table_names.table(name, "quarantine")
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
