"""Records as a test writes them, and as the log has them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.admin.input.records import key_bytes
from jobs.events import event_time
from jobs.events.event_time import EventTime
from jobs.events.topic_schema import TopicSchema
from jobs.log.partitioner import partitions_of
from jobs.running.errors import Mistake

Record = Mapping[str, Any] | str | bytes | tuple[Any, Any, datetime] | tuple[Any, Any, datetime, int]
"""The value of a record, as a dictionary of JSON, or as text or bytes that go into the log as they are. Or its key
(text, bytes, number, None), its value (one of these, or None) and its timestamp; and its partition, if the key shall
not say it.
"""
Records = Sequence[Record] | Mapping[str, Sequence[Record]]
"""Those of the topic of the result; or by topic."""
_Row = tuple[bytes | None, bytes | None, datetime, int | None]
"""Key, value, timestamp; the partition, if the test names it."""


def log_records(topic: TopicSchema, records: Sequence[Record], partitions: int = 1) -> pa.RecordBatch:
    """Key, value, timestamp and partition of each record.

    A value alone has the key that the field named by KEY has. Its timestamp is its event time; if it has none that can
    be read, that of the record before it, and for the first ones 2025-01-01. The key says the partition, as in Kafka;
    records without one go round. Raises Mistake for what is no record, and for a partition that there is not.
    """
    rows = list(_rows(topic, records))
    columns = ([row[place] for row in rows] for place in range(4))
    kinds = (pa.binary(), pa.binary(), pa.timestamp("us", "UTC"), pa.int64())
    key, value, timestamp, named = (pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True))
    for number, partition in enumerate(named.to_pylist()):
        if partition is not None and not 0 <= partition < partitions:
            raise Mistake(
                f"records of {topic.TOPIC}, [{number}]: partition {partition}, and the last one is {partitions - 1}: "
                "say partitions=..."
            )
    chosen = pc.coalesce(named, pa.array(partitions_of(key, partitions, 0)))
    return pa.RecordBatch.from_arrays([key, value, timestamp, chosen], ["key", "value", "timestamp", "partition"])


def _rows(topic: TopicSchema, records: Sequence[Record]) -> Iterator[_Row]:
    time, last = event_time.of_topic(topic), datetime(2025, 1, 1, tzinfo=UTC)
    for number, record in enumerate(records):
        try:
            if isinstance(record, tuple):
                key, value, last, partition = record if len(record) == 4 else (*record, None)
                if not (isinstance(last, datetime) and last.tzinfo):
                    raise ValueError("its timestamp is no datetime with a zone")
            else:
                fields = _fields(record)
                key, value, partition = fields.get(topic.KEY) if topic.KEY else None, record, None
                last = _moment(time, fields) or last
            yield key if isinstance(key, bytes) else key_bytes(key), _value_bytes(value), last, partition
        except (ValueError, TypeError, AttributeError) as error:
            raise Mistake(f"records of {topic.TOPIC}, [{number}]: {error}") from None


def _fields(value: Mapping[str, Any] | str | bytes) -> Mapping[str, Any]:
    """The fields of a value; of a text that is no JSON object none."""
    if isinstance(value, str | bytes):
        try:
            found = json.loads(value)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
    if not isinstance(value, Mapping):
        raise TypeError("it is no dictionary, text, bytes or tuple (key, value, timestamp)")
    return value


def _value_bytes(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()


def _moment(time: EventTime, record: Mapping[str, Any]) -> datetime | None:
    """The event time of a value; None if it has none, or one that the gate will have to judge."""
    value: Any = record
    for name in time.path:
        value = value.get(name) if isinstance(value, Mapping) else None
    try:
        return None if value is None else time.moment(json.loads(json.dumps(value), parse_float=Decimal))
    except (ValueError, TypeError, ArithmeticError):
        return None
