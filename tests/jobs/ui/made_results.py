"""Results as jobs leave them, written in a moment without Spark: a ledger, windows, quarantine, a checkpoint."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql.types import DoubleType, IntegerType, LongType, StringType, StructField, StructType, TimestampType

from jobs.keeping import checkpoint, ledger
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables
from jobs.lake.commits import Commit
from jobs.running.places import Places
from schemas import quarantine
from tests.jobs import visits

HOURS = 6
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
READ = 20
"""Records that `make` says were read; `visits.write(places, 0, READ)` puts as many into the log."""
BAD = b'{"who": "secret-value"}'


def columns(group: str) -> StructType:
    """Those of windows, by one group."""
    times = [StructField(name, TimestampType()) for name in ("window_start", "window_end", "updated_time")]
    return StructType(
        [
            StructField("window_kind", StringType(), True, {"comment": "Which kind."}),
            *times[:2],
            StructField(group, StringType(), True, {"comment": "Where <b>it</b> was."}),
            StructField("visits", LongType(), True, {"comment": "Visits of the window."}),
            StructField("stay_minutes_mean", DoubleType()),
            StructField("revision", IntegerType()),
            times[2],
        ]
    )


def windows(group: str, sites: tuple[str, ...]) -> list[dict[str, Any]]:
    """An hour has 10 visits more than the one before it; the first one was corrected once."""
    return [
        {
            "window_kind": "tumbling 1 hour",
            "window_start": NOON + timedelta(hours=hour),
            "window_end": NOON + timedelta(hours=hour + 1),
            group: site,
            "visits": 10 * hour + number,
            "stay_minutes_mean": 2.5 + hour / 2,
            "revision": 2 if hour == 0 else 1,
            "updated_time": NOON + timedelta(days=1),
        }
        for hour in range(HOURS)
        for number, site in enumerate(sites)
    ]


def make(
    places: Places,
    name: str,
    topic: str = "visits",
    group: str = "site",
    sites: tuple[str, ...] = ("north", "south"),
    read: dict[int, int] | None = None,
    **more: Any,
) -> Row:
    """A result of two batches, whose windows are published; two records wait in quarantine, one was requeued. `read`:
    how far it has read its topic; `more`: of its last ledger row.
    """
    ledger.create(places, name)
    table, bad = places.table(name), places.table(f"{name}_quarantine")
    delta_tables.create(table, columns(group), (), f"Windows of {name}.")
    delta_tables.create(bad, quarantine.COLUMNS, (), "Bad records.")
    panes = repr({"every": "1 hour", "by": (group,), "count": "visits"})
    definition = {
        "topic": topic,
        "windows": "tumbling 1 hour",
        "panes": panes,
        "allowed_lateness": "1 hour",
        "columns": "who string, site string",
    }
    ends = read or {0: 12, 1: 8}
    row = Row(1, "start", 1, -1, log_home="archive", definition=definition)
    ledger.write(places, name, row)
    _append(places, name, table, columns(group), windows(group, sites), "windows")
    _append(places, name, bad, quarantine.COLUMNS, _bad_records(topic), "quarantine")
    counts = {"records": READ - 5, "out_of_order": 4, "late": 1, "lateness_p50_seconds": 0.0}
    half = {part: end // 2 for part, end in ends.items()}
    row = row.next("batch", batch_id=0, end_offsets=half, lateness_max_seconds=7200.0, **counts)
    ledger.write(places, name, row)
    tables = ledger.versions(places, (name, f"{name}_quarantine"))
    last = {"records": 5, "quarantined": 2, "late": 1, "end_offsets": ends, "tables": tables, "batch_id": 1}
    last |= {"published_sequence": row.sequence + 1, "record_time": NOON + timedelta(hours=HOURS)}
    row = ledger.write(places, name, row.next("batch", **(last | more)))
    _write_checkpoint(Path(checkpoint.folder(places.checkpoints, name, 1)), row)
    return row


def fill_log(places: Places) -> dict[int, int]:
    """The topic visits, with READ records; the ends of its partitions."""
    visits.write(places, 0, READ)
    from jobs.log import home

    return home.topic(places, "visits").ends


def _bad_records(topic: str) -> list[dict[str, Any]]:
    places = [("wrong_type", "site", None), ("not_json", None, None), ("wrong_type", "site", 2)]
    return [
        {
            "topic": topic,
            "partition": 0,
            "offset": number,
            "timestamp": NOON,
            "key": b"k",
            "value": BAD,
            "reason": reason,
            "field": field,
            "sequence": 3,
            "requeued_sequence": again,
        }
        for number, (reason, field, again) in enumerate(places)
    ]


def _append(places: Places, name: str, path: str, kinds: StructType, rows: list[dict[str, Any]], step: str) -> None:
    from pyspark.sql.pandas.types import to_arrow_schema

    schema = to_arrow_schema(kinds, timezone="UTC")
    delta_tables.append(pa.Table.from_pylist(rows, schema=schema), path, Commit(name, "1", 3, step, {}, {}), {})


def _write_checkpoint(folder: Path, last: Row) -> None:
    """As Spark would, up to the last batch."""
    for kind in ("offsets", "commits"):
        (folder / kind).mkdir(parents=True)
    (folder / "metadata").write_text('{"id": "1"}')
    offsets = json.dumps({str(partition): end for partition, end in last.end_offsets.items()})
    (folder / "offsets" / str(last.batch_id)).write_text(f"v1\n{{}}\n{offsets}\n")
    (folder / "commits" / str(last.batch_id)).write_text("v1\n{}\n")
