"""What a batch has measured, put into its ledger row."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jobs.keeping.ledger import Position, Row
from jobs.running.instants import from_micros, to_micros
from sketches import quantiles


def offsets_between(row: Row) -> int:
    """Offsets that the batch of `row` covers: at least as many as its records, as a partition that was not read before
    counts from 0.
    """
    return sum(end - row.start_offsets.get(partition, 0) for partition, end in row.end_offsets.items())


def stream_micros(read: Position) -> dict[int, int]:
    """Stream time of each partition of a topic, in microseconds since 1970."""
    return {partition: to_micros(moment) for partition, moment in read.stream_time.items()}


def add_facts(row: Row, facts_by_topic: Mapping[str, list[dict[str, Any]]]) -> Row:
    """`row` with these lateness.MEASURES, one for each partition of its batch, by topic, the first topic first. It
    still has the stream time of the row before, and gets that after the batch.
    """
    positions = row.positions(facts_by_topic)
    for topic, measures in facts_by_topic.items():
        stream = stream_micros(positions[topic])
        for fact in measures:
            if fact["stream_micros"] is not None:
                stream[fact["record_partition"]] = max(
                    fact["stream_micros"], stream.get(fact["record_partition"], fact["stream_micros"])
                )
        times = {partition: from_micros(micros) for partition, micros in stream.items()}
        positions[topic] = replace(positions[topic], stream_time=times)
    facts = [fact for measures in facts_by_topic.values() for fact in measures]
    records, bad = sum(f["records"] for f in facts), sum(f["quarantined"] for f in facts)
    behind = quantiles.merge(bytes(f["lateness_sketch"]) for f in facts if f["out_of_order"])
    latest = max((f["lateness_max_micros"] for f in facts), default=0) / 1e6
    moments = [from_micros(fact["record_micros"]) for fact in facts]
    return replace(
        row.with_positions(positions),
        records=records,
        quarantined=bad,
        out_of_order=sum(f["out_of_order"] for f in facts),
        late=sum(f["late"] for f in facts),
        dropped=sum(f["dropped"] for f in facts),
        lateness_sketch=behind.to_bytes(),
        lateness_p50_seconds=min(behind.quantile(0.5, records - bad), latest),
        lateness_p99_seconds=min(behind.quantile(0.99, records - bad), latest),
        lateness_max_seconds=latest,
        record_time=max([*moments, *([row.record_time] if row.record_time else [])], default=None),
    )
