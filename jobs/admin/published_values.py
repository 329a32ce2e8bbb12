"""Which records of the log do the published windows of a result hold? Read from the archive, without Spark."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers import table_names
from jobs.answers.result import Result
from jobs.events import event_time
from jobs.events.encodings import topic_encoding
from jobs.events.encodings.topic_encoding import TopicEncoding
from jobs.log.archive.file_reader import batches
from jobs.log.archive.snapshot import Snapshot
from jobs.publishing.results import query
from jobs.running.errors import Refused
from jobs.running.places import Places

MOST_DATES = 200
"""If the spans have more dates than this, every record is decoded."""


def read(
    places: Places, result: Result, spans: Sequence[tuple[datetime, datetime]]
) -> Iterator[tuple[bytes, datetime]]:
    """The values, as JSON, and timestamps of the good records that the published windows hold, if their events may lie
    in one of the `spans`, each [start, end). Raises Refused if the archive does not hold all of them, or if one cannot
    be decoded. A topic that is encoded has been told its registry (schema_registry.connect).
    """
    name, topic = result.name, result.topic.TOPIC
    ends, quarantined = _read_published(places, name)
    log = Snapshot(places.archive, topic).refresh()
    if any(log.ends.get(partition, 0) < end for partition, end in ends.items()):
        raise Refused(
            f"the exact counts come from the archive, and {places.archive} does not have topic {topic} as far as "
            f"{name} has read it. Copy it from Kafka first: jobs/kafka_archive.py {topic}."
        )
    time = event_time.of_topic(result.topic)
    since = None
    if time.max_ahead_seconds is not None:  # an event is at most so much later than its record: the gate sees to it
        since = min(start for start, _ in spans) - timedelta(seconds=time.max_ahead_seconds)
    encoded = topic_encoding.of_topic(result.topic)
    near = _dates(spans) if time.unit is None and not time.is_of_record and not encoded else None
    for partition, end in ends.items():
        files = [file for file in log.files_of(partition) if since is None or file.last_time >= since]
        waiting = pa.array(sorted(quarantined.get(partition, ())), pa.int64())
        for batch in batches(files, topic, partition, 0, end):
            wanted = pa.repeat(True, len(batch))
            if since is not None:
                wanted = pc.greater_equal(batch["timestamp"], pa.scalar(since, pa.timestamp("us", "UTC")))
            if len(waiting):
                wanted = pc.and_(wanted, pc.invert(pc.is_in(batch["offset"], waiting)))
            if near:
                wanted = pc.and_(wanted, pc.fill_null(pc.match_substring_regex(batch["value"], near), False))
            batch = batch.filter(wanted)
            values = _json(name, encoded, batch) if encoded else batch["value"]
            yield from zip(values.to_pylist(), batch["timestamp"].to_pylist(), strict=True)


def _json(name: str, encoded: TopicEncoding, records: pa.RecordBatch) -> pa.Array:
    """The values of these records of one partition. Raises Refused if one cannot be decoded."""
    plain, faults = encoded.json_values(records["key"], records["value"])
    bad = records.filter(pc.is_valid(faults))
    if len(bad):
        fault = faults.drop_null()[0].as_py()
        raise Refused(
            f"{name}: the record of topic {bad['topic'][0]}, partition {bad['partition'][0]}, offset "
            f"{bad['offset'][0]} was decoded by its job, and cannot be now: {fault['reason']}, {fault['field']}. Does "
            "[schema_registry] of the places file name the same registry?"
        )
    return plain


def _dates(spans: Sequence[tuple[datetime, datetime]]) -> str | None:
    """A pattern for the dates that an event time in one of the spans can have, in any zone; None if they are many."""
    day = timedelta(days=1)
    dates: set[str] = set()
    for start, end in spans:
        moment = start - day
        while moment <= end + day and len(dates) <= MOST_DATES:
            dates.add(f"{moment:%Y-%m-%d}")
            moment += day
    return "|".join(sorted(dates)) if len(dates) <= MOST_DATES else None


def _read_published(places: Places, name: str) -> tuple[dict[int, int], dict[int, set[int]]]:
    """By partition, the end of what the published windows hold, and the offsets in quarantine then."""
    ledger, quarantine = table_names.table(name, "ledger"), table_names.table(name, "quarantine")
    last = query(
        places, f'select published_sequence as p from "{ledger}" order by sequence desc limit 1', ledger
    ).to_pylist()
    if not last:
        raise Refused(f"{name} has no rows in its ledger yet: run its job.")
    until = last[0]["p"]
    row = query(
        places, f'select end_offsets from "{ledger}" where sequence <= {until} order by sequence desc limit 1', ledger
    ).to_pylist(maps_as_pydicts="strict")[0]
    waiting = query(
        places,
        f'select "partition", "offset" from "{quarantine}" '
        f"where requeued_sequence is null or requeued_sequence > {until}",
        quarantine,
    )
    quarantined: dict[int, set[int]] = {}
    for record in waiting.to_pylist():
        quarantined.setdefault(record["partition"], set()).add(record["offset"])
    return row["end_offsets"] or {}, quarantined
