"""How a result stands, found without Java: from its ledger, quarantine and tables, and the ends of the log."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from jobs.admin import completeness
from jobs.admin.completeness import Completeness, Extents
from jobs.admin.units import length
from jobs.answers import table_names
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind
from jobs.lake import delta_tables
from jobs.log import home
from jobs.log.topic import Extent
from jobs.publishing.results import query
from jobs.running.places import Places
from sketches import quantiles

COLUMNS = (
    "sequence, kind, generation, records, quarantined, out_of_order, late, lateness_sketch, lateness_max_seconds, "
    "record_time, notes, committed_time"
)

RECENT = timedelta(hours=25)
"""For so long it is told what was read by the hour: the last 24 whole hours, and the one that has begun."""


@dataclass(frozen=True)
class Lag:
    """What the job has not read yet. None stands for unknown: the log cannot be read."""

    offsets: dict[tuple[str, int], tuple[int, int | None]]
    """By topic and partition, the next offset of the job and that of the log."""
    records: int | None
    seconds: float | None
    """Of record time."""
    deleted_time: datetime | None
    """When the log begins to delete unread records; None: it does not, or there are none."""
    fault: str | None = None
    """Why the log cannot be read, if it cannot."""

    @property
    def records_shown(self) -> str:
        """Records that the job has not read."""
        return "unknown" if self.records is None else f"{self.records:,}"

    @property
    def time_shown(self) -> str:
        """Record time that the job has not read, with its unit."""
        return "unknown" if self.seconds is None else length(self.seconds)


@dataclass(frozen=True)
class Facts:
    """How far a result has read, and what its numbers say about its health."""

    name: str
    last: Row
    topics: tuple[str, ...]
    records: int
    """Records read from the log, good and bad; those that were requeued are counted once."""
    waiting: int
    """Records in quarantine."""
    requeued: int
    out_of_order: int
    late: int
    stragglers: list[tuple[str, int]]
    """What became of late records, and of how many of them."""
    lateness: tuple[float, float, float]
    """p50, p99 and maximum of all good records, seconds."""
    batch_time: datetime | None
    records_by_hour: dict[datetime, int]
    """Records of the batches that were closed in the last day or so, by the begin of the hour, UTC."""
    newest_record_time: datetime | None
    """The largest record timestamp in the published numbers; None before the first record."""
    unpublished: int
    """Batches that are not published yet."""
    completeness: Completeness | None
    """None: it publishes nothing, or has read nothing."""
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

    def age_seconds(self, now: datetime) -> float | None:
        """How old the newest record in the published numbers is; None before the first record."""
        return None if self.newest_record_time is None else (now - self.newest_record_time).total_seconds()

    @property
    def published_state(self) -> str:
        """Whether what is published holds every batch."""
        if not has_publications(self.last):
            return "-"
        return {0: "up to date", 1: "1 batch behind"}.get(self.unpublished, f"{self.unpublished} batches behind")


def read(places: Places, name: str) -> Facts | str:
    """The facts of result `name`; or a message: why they cannot be read."""
    try:
        last = ledger.last(places, name)
        return "has no rows in its ledger yet: run its job." if last is None else _facts(places, name, last)
    except Exception as error:  # deltalake raises many kinds for a damaged table
        return f"cannot be read: {_fault(error)}"


def _fault(error: Exception) -> str:
    """In one line."""
    return " ".join(str(error).split())[:200]


def has_publications(last: Row) -> bool:
    """Whether the result publishes anything."""
    return bool(last.definition.get("windows")) or "answers" in last.definition


def _facts(places: Places, name: str, last: Row) -> Facts:
    table = table_names.table(name, "ledger")
    rows = query(places, f'select {COLUMNS} from "{table}" order by sequence', table).to_pylist()
    batches = [row for row in rows if row["kind"] == Kind.BATCH]
    again = sum(row["records"] for row in rows if row["kind"] == Kind.REQUEUE)
    records, waiting = sum(row["records"] for row in batches), sum(row["quarantined"] for row in rows)
    sketches = [row["lateness_sketch"] for row in rows if row["lateness_sketch"]]
    # Those that were requeued have no lateness: it is measured when the log is read.
    good, behind = records - sum(row["quarantined"] for row in batches), quantiles.merge(sketches)
    latest = max((row["lateness_max_seconds"] or 0.0 for row in rows), default=0.0)
    topics = (last.definition.get("topic", ""), *last.further_topics)
    extents, fault = _extents(places, topics)
    is_behind = has_publications(last)
    unpublished = [
        r for r in rows if r["kind"] in (Kind.BATCH, Kind.REQUEUE) and r["sequence"] > last.published_sequence
    ]
    published = [r["record_time"] for r in rows if not is_behind or r["sequence"] <= last.published_sequence]
    return Facts(
        name,
        last,
        topics,
        records,
        waiting,
        again,
        sum(row["out_of_order"] for row in rows),
        sum(row["late"] for row in rows),
        _stragglers(places, name),
        (min(behind.quantile(0.5, good), latest), min(behind.quantile(0.99, good), latest), latest),
        batches[-1]["committed_time"] if batches else None,
        _by_hour(batches, datetime.now(UTC) - RECENT),
        max(filter(None, published), default=None),
        len(unpublished) if is_behind else 0,
        completeness.read(last, topics, extents),
        tuple(note for row in rows if row["generation"] == last.generation for note in row["notes"] or ()),
        _lag(places, last, topics, extents, fault),
        reasons(places, name),
        [_table(places, each) for each in _tables(name, last) if delta_tables.find(places.table(each))],
    )


def _by_hour(batches: Sequence[Mapping[str, Any]], since: datetime) -> dict[datetime, int]:
    """The records of the batches that were closed since then, by the begin of the hour."""
    found: Counter[datetime] = Counter()
    for row in batches:
        if row["committed_time"] >= since:
            found[row["committed_time"].astimezone(UTC).replace(minute=0, second=0, microsecond=0)] += row["records"]
    return dict(found)


def _tables(name: str, last: Row) -> list[str]:
    """The names of the tables that the result may have; what it publishes comes first."""
    return list(dict.fromkeys((name, *last.tables, *table_names.all_tables(name))))


def _extents(places: Places, topics: Sequence[str]) -> tuple[Extents | None, str | None]:
    """What the log holds of each topic; or None, and why it cannot be read."""
    try:
        return {topic: home.extents(places, topic) for topic in topics}, None
    except Exception as error:  # the log is away or damaged: what the ledger says is shown all the same
        return None, _fault(error)


def _lag(places: Places, last: Row, topics: Sequence[str], extents: Extents | None, fault: str | None) -> Lag:
    read = {topic: position.end_offsets for topic, position in last.positions(topics).items()}
    try:
        deadlines = [home.retention_deadline(places, topic, read[topic]) for topic in topics] if extents else []
    except Exception as error:
        extents, fault = None, _fault(error)
    if extents is None:
        known = {(topic, part): (offset, None) for topic, ends in read.items() for part, offset in ends.items()}
        return Lag(dict(known), None, None, None, fault)
    offsets: dict[tuple[str, int], tuple[int, int | None]] = {}
    waiting = 0
    for topic, each in ((topic, one) for topic, of_topic in extents.items() for one in of_topic):
        after, next_offset = _end(each, read[topic]), read[topic].get(each.partition, 0)
        offsets[topic, each.partition] = (next_offset, after)
        waiting += max(0, after - max(next_offset, each.first_offset or 0))
    held = [each for of_topic in extents.values() for each in of_topic]
    newest = max((each.last_time for each in held if each.last_time), default=None)
    begun = last.record_time or min((each.first_time for each in held if each.first_time), default=None)
    if not waiting or newest is None or begun is None:
        return Lag(offsets, waiting, 0.0, None)
    deleted = min((time for time in deadlines if time), default=None)
    return Lag(offsets, waiting, max(0.0, (newest - begun).total_seconds()), deleted)


def _end(extent: Extent, read: dict[int, int]) -> int:
    """The offset after the last of a partition; of one that holds nothing any more, what was read."""
    return read.get(extent.partition, 0) if extent.last_offset is None else extent.last_offset + 1


def reasons(places: Places, name: str) -> list[tuple[str, str | None, int, int]]:
    """(reason, field, waiting, requeued) of the records in quarantine, by reason and field."""
    quarantine = table_names.table(name, "quarantine")
    counted = query(
        places,
        f'select reason, field, count(*) as records, count(requeued_sequence) as requeued from "{quarantine}" '
        "group by reason, field order by reason, field",
        quarantine,
    )
    return [(r["reason"], r["field"], r["records"] - r["requeued"], r["requeued"]) for r in counted.to_pylist()]


def _stragglers(places: Places, name: str) -> list[tuple[str, int]]:
    """(what was done, records) of late records; none if an earlier version kept no account of them."""
    table = table_names.table(name, "stragglers")
    if delta_tables.find(places.table(table)) is None:
        return []
    counted = query(places, f'select done, count(*) as records from "{table}" group by done order by done', table)
    return [(row["done"], row["records"]) for row in counted.to_pylist()]


def _table(places: Places, name: str) -> tuple[str, int | None, int, str]:
    """Rows from the statistics of the table's log; None if a file has none."""
    import pyarrow as pa

    path = places.table(name)
    table = delta_tables.find(path)
    assert table is not None
    files: list[dict[str, Any]] = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    counts = [file.get("num_records") for file in files]
    rows = None if None in counts else sum(count for count in counts if count is not None)
    return name, rows, table.version(), path
