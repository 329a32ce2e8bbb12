"""What a batch has measured, as its ledger row says it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa

from jobs.answers.result import Result
from jobs.keeping.ledger import Row
from jobs.running import durations
from jobs.running.instants import EPOCH, from_micros, sql_literal, to_micros
from sketches import quantiles


def offsets_between(row: Row) -> int:
    """No fewer than the records of the batch: of a partition that was not read before it counts from 0."""
    return sum(end - row.start_offsets.get(partition, 0) for partition, end in row.end_offsets.items())


def stream_micros(row: Row) -> dict[int, int]:
    """Stream time of each partition after the row's records, in microseconds since 1970."""
    return {partition: to_micros(moment) for partition, moment in row.stream_time.items()}


def with_facts(row: Row, facts: list[dict[str, Any]]) -> Row:
    """The row of a batch of these lateness.MEASURES by partition; `row` still has the stream time of the row before."""
    stream = stream_micros(row)
    records, bad = sum(f["records"] for f in facts), sum(f["quarantined"] for f in facts)
    behind = quantiles.merge(bytes(f["lateness_sketch"]) for f in facts if f["out_of_order"])
    for fact in facts:
        if fact["stream_micros"] is not None:
            stream[fact["record_partition"]] = max(fact["stream_micros"], stream.get(fact["record_partition"], 0))
    times = [from_micros(fact["record_micros"]) for fact in facts]
    return replace(
        row,
        records=records,
        quarantined=bad,
        out_of_order=sum(f["out_of_order"] for f in facts),
        late=sum(f["late"] for f in facts),
        lateness_sketch=behind.to_bytes(),
        lateness_p50_seconds=behind.quantile(0.5, records - bad),
        lateness_p99_seconds=behind.quantile(0.99, records - bad),
        lateness_max_seconds=behind.maximum(),
        stream_time={partition: from_micros(micros) for partition, micros in stream.items()},
        record_time=max([*times, *([row.record_time] if row.record_time else [])], default=None),
    )


def with_filters(row: Row, found: pa.Table) -> Row:
    """The row of a batch that changed these filters (membership.changed_filters), at least one."""
    fullest, rates = (found[name].to_pylist() for name in ("fill", "false_positive_rate"))
    return replace(row, filter_fill=max(fullest), filter_false_positive_rate=max(rates))


def replaced_filters(found: pa.Table, result: Result) -> str:
    """SQL that holds for the stored filters in whose place those `found` come, and for those that nobody can ask for
    any more.
    """
    membership = result.membership
    assert membership
    facts = found.drop_columns(["bits"]).to_pylist()
    allowed = durations.seconds(result.allowed_lateness)
    streams = {fact["partition"]: to_micros(fact["stream_time"]) for fact in facts}
    oldest = {partition: membership.oldest_bucket(micros, allowed) for partition, micros in streams.items()}
    length = timedelta(microseconds=membership.bucket_micros)
    gone = [(partition, "<", EPOCH + bucket * length) for partition, bucket in sorted(oldest.items())]
    gone += [(fact["partition"], "=", fact["bucket_time"]) for fact in facts]
    return " or ".join(f"(partition = {p} and bucket_time {sign} {sql_literal(time)})" for p, sign, time in gone)
