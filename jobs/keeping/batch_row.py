"""What a batch has measured, put into its ledger row."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from jobs.keeping import ledger
from jobs.keeping.ledger import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def offsets_between(row: Row) -> int:
    """Offsets that the batch of `row` covers: at least as many as its records, as a partition that was not read before
    counts from 0.
    """
    return sum(end - row.start_offsets.get(partition, 0) for partition, end in row.end_offsets.items())


def stream_micros(row: Row) -> dict[int, int]:
    """Stream time of each partition after the row's records, in microseconds since 1970."""
    return {partition: _micros(moment) for partition, moment in row.stream_time.items()}


def add_facts(row: Row, facts: list[dict[str, Any]]) -> Row:
    """`row` with these lateness.FACTS, one for each partition of its batch. It still has the stream time of the row
    before, and gets that after the batch.
    """
    stream = stream_micros(row)
    records, bad = sum(f["records"] for f in facts), sum(f["quarantined"] for f in facts)
    sketches = [bytes(f["lateness_sketch"]) for f in facts if f["out_of_order"]]
    sketch, half, most, latest = ledger.lateness(sketches, records - bad)
    for fact in facts:
        if fact["stream_micros"] is not None:
            stream[fact["record_partition"]] = max(fact["stream_micros"], stream.get(fact["record_partition"], 0))
    times = [_moment(fact["record_micros"]) for fact in facts]
    return replace(
        row,
        records=records,
        quarantined=bad,
        out_of_order=sum(f["out_of_order"] for f in facts),
        late=sum(f["late"] for f in facts),
        lateness_sketch=sketch,
        lateness_p50_seconds=half,
        lateness_p99_seconds=most,
        lateness_max_seconds=latest,
        stream_time={partition: _moment(micros) for partition, micros in stream.items()},
        record_time=max([*times, *([row.record_time] if row.record_time else [])], default=None),
    )


def add_filter_rates(row: Row, filters: pa.Table) -> Row:
    """`row` with how full the filters are that its batch has changed (membership.changed), at least one."""
    fullest, rates = (filters[name].to_pylist() for name in ("fill", "false_positive_rate"))
    return replace(row, filter_fill=max(fullest), filter_false_positive_rate=max(rates))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
