"""Ledgers of results, written row by row, with the records of their logs and their quarantine."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from datasketches import kll_doubles_sketch
from deltalake import write_deltalake

from jobs.keeping import ledger
from jobs.keeping.ledger import Position, Row
from jobs.lake import delta_tables
from jobs.log.archive import writer
from jobs.log.partitioner import partitions_of
from jobs.running.places import Places
from schemas import quarantine, straggler
from tests.jobs import visits

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def sketch(*lateness: float) -> bytes:
    made = kll_doubles_sketch()
    for seconds in lateness:
        made.update(seconds)
    return bytes(made.serialize())


def keep(places: Places, name: str, generation: int = 1) -> None:
    """A ledger of two batches of 12 and 8 records, the second not published; 4 in quarantine, 1 of them read again."""
    ledger.create(places, name)
    row = Row(1, "start", generation, -1, published_sequence=1, notes=("an old note",))
    ledger.write(places, name, row)
    definition = {"topic": "visits", "windows": "tumbling 1 hour"}
    row = row.next("start", generation=generation + 1, definition=definition, notes=("the checkpoint is missing",))
    ledger.write(places, name, row)
    behind = sketch(*[60.0] * 5)
    counts = {
        "records": 12,
        "quarantined": 2,
        "out_of_order": 5,
        "late": 1,
        "lateness_sketch": behind,
        "lateness_max_seconds": 60.0,
    }
    row = row.next("batch", batch_id=0, end_offsets={0: 7, 1: 5}, **counts)
    ledger.write(places, name, row)
    row = row.next("requeue", records=1, quarantined=-1, published_sequence=row.sequence + 1)
    ledger.write(places, name, row)
    counts = {
        "records": 8,
        "quarantined": 2,
        "out_of_order": 1,
        "late": 1,
        "lateness_sketch": sketch(7200.0),
        "lateness_max_seconds": 7200.0,
    }
    rates = {"filter_fill": 0.25, "filter_false_positive_rate": 0.004}
    read = visits.START + 19 * 7 * visits.MINUTE
    row = row.next("batch", batch_id=1, end_offsets={0: 11, 1: 9}, record_time=read, **counts, **rates)
    ledger.write(places, name, row)
    bad = f"{name}_quarantine"
    delta_tables.create(places.table(bad), quarantine.COLUMNS, (), "Bad records.")
    reasons = [("not_json", None, None), ("missing_field", "site", 4), ("missing_field", "site", None)]
    rows = [{"reason": r, "field": f, "requeued_sequence": s, "offset": 1} for r, f, s in [*reasons, reasons[0]]]
    kinds = [("reason", pa.string()), ("field", pa.string()), ("requeued_sequence", pa.int64()), ("offset", pa.int64())]
    write_deltalake(
        places.table(bad), pa.Table.from_pylist(rows, schema=pa.schema(kinds)), mode="append", schema_mode="merge"
    )


def fill(places: Places, topic: str, minutes: dict[int, int], count: int = 4) -> None:
    """So many records in each partition; the timestamp of its last one is so many minutes past noon."""
    for partition, last in minutes.items():
        times = pa.array(
            [NOON + timedelta(minutes=last - n) for n in reversed(range(count))], pa.timestamp("us", "UTC")
        )
        batch = pa.record_batch({"key": keys_of(partition, count), "value": [b"{}"] * count, "timestamp": times})
        writer.append(places.archive, topic, 2, [batch])


def keys_of(partition: int, count: int) -> pa.Array:
    """Keys that Kafka's partitioner puts into this one of two partitions."""
    keys = pa.array([b"k%d" % n for n in range(100)], pa.binary())
    return keys.filter(pa.array(partitions_of(keys, 2, 0) == partition)).slice(0, count)


def joined(places: Places, read: int = 4, clock: datetime | None = None, **more: Any) -> Row:
    """A ledger of a result over two topics of 2 partitions with 4 records each. clicks/1 is at 12:14, the others are
    further; 10 minutes are allowed.
    """
    ledger.create(places, "joined_v1")
    definition = {"topic": "searches", "answers": "Outcomes()", "allowed_lateness": "10 minutes"}
    row = Row(1, "start", 1, -1, definition=definition)
    ledger.write(places, "joined_v1", row)
    clicks = Position("", {}, {0: 4, 1: read}, {0: NOON + HOUR, 1: clock or NOON + timedelta(minutes=14)})
    searches = {0: NOON + HOUR, 1: NOON + 2 * HOUR}
    row = row.next("batch", batch_id=0, end_offsets={0: 4, 1: 4}, stream_time=searches, records=12 + read, late=3)
    row = replace(row, further_topics={"clicks": clicks}, complete_time=NOON + timedelta(minutes=4), **more)
    ledger.write(places, "joined_v1", row)
    fill(places, "searches", {0: 60, 1: 150})
    fill(places, "clicks", {0: 60, 1: 30})
    delta_tables.create(places.table("joined_v1_quarantine"), quarantine.COLUMNS, (), "Bad records.")
    stragglers = places.table("joined_v1_stragglers")
    delta_tables.create(stragglers, straggler.COLUMNS, (), "Late records.")
    done = pa.table({"done": ["corrected", "quarantined", "corrected"]})
    write_deltalake(stragglers, done, mode="append", schema_mode="merge")
    return row
