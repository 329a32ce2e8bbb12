"""What the ledger of a result says over time, in equal spans: for charts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from jobs.answers import table_names
from jobs.keeping.steps import Kind
from jobs.publishing.results import query
from jobs.running.places import Places

MOST_ROWS = 2_000
"""So many rows of the ledger are looked at, the last ones."""
MOST_SPANS = 60
"""So many bars can be told apart on a small screen."""
LENGTHS_SECONDS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400)
"""Spans that begin where a person expects it."""
COLUMNS = (
    "committed_time, kind, records, quarantined, out_of_order, late, lateness_p50_seconds, lateness_p99_seconds, "
    "lateness_max_seconds"
)


@dataclass(frozen=True)
class Span:
    """The batches that were closed in [start, end)."""

    start: datetime
    end: datetime
    batches: int
    records: int
    quarantined: int
    out_of_order: int
    late: int
    lateness_p50_seconds: float
    """The largest of the batches; so are the next two."""
    lateness_p99_seconds: float
    lateness_max_seconds: float


def read(places: Places, name: str) -> list[Span]:
    """The spans of result `name` with batches, in order."""
    table = table_names.table(name, "ledger")
    sql = f'select {COLUMNS} from "{table}" order by sequence desc limit {MOST_ROWS}'
    rows = [row for row in query(places, sql, table).to_pylist() if row["kind"] == Kind.BATCH]
    return spans(rows[::-1])


def spans(rows: Sequence[dict[str, Any]]) -> list[Span]:
    """Batches, in order of time and in COLUMNS, by spans of one length, of which there are at most MOST_SPANS."""
    if not rows:
        return []
    first, last = rows[0]["committed_time"], rows[-1]["committed_time"]
    whole = (last - first).total_seconds()
    length = next((each for each in LENGTHS_SECONDS if whole / each < MOST_SPANS - 1), whole / (MOST_SPANS - 2))
    by_start: dict[float, list[dict[str, Any]]] = {}
    for row in rows:
        by_start.setdefault(row["committed_time"].timestamp() // length * length, []).append(row)
    return [_span(datetime.fromtimestamp(start, last.tzinfo), length, inside) for start, inside in by_start.items()]


def _span(start: datetime, length: float, rows: list[dict[str, Any]]) -> Span:
    sums = [sum(row[name] for row in rows) for name in ("records", "quarantined", "out_of_order", "late")]
    most = [max(row[f"lateness_{which}_seconds"] for row in rows) for which in ("p50", "p99", "max")]
    return Span(start, start + timedelta(seconds=length), len(rows), *sums, *most)
