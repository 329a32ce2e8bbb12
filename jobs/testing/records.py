"""Records as a test writes them, and as the log has them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from jobs.admin.input.records import key_bytes
from jobs.events import event_time
from jobs.events.event_time import EventTime
from jobs.events.topic_schema import TopicSchema
from jobs.running.errors import Mistake

Record = Mapping[str, Any] | tuple[Any, Any, datetime]
"""The value of a record, as a dictionary of JSON; or its key (text, bytes, number, None), its value (a dictionary, or
text or bytes as they are, or None) and its timestamp.
"""
Records = Sequence[Record] | Mapping[str, Sequence[Record]]
"""Those of the topic of the result; or by topic."""


def log_records(topic: TopicSchema, records: Sequence[Record]) -> pa.RecordBatch:
    """Key, value and timestamp of each record.

    A value alone has the key that the field named by KEY has. Its timestamp is its event time; if it has none that can
    be read, that of the record before it, and for the first ones 2025-01-01. Raises Mistake for what is no record.
    """
    rows = list(_rows(topic, records))
    columns = ([row[place] for row in rows] for place in range(3))
    kinds = (pa.binary(), pa.binary(), pa.timestamp("us", "UTC"))
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, ["key", "value", "timestamp"])


def _rows(topic: TopicSchema, records: Sequence[Record]) -> Iterator[tuple[bytes | None, bytes | None, datetime]]:
    time, last = event_time.of_topic(topic), datetime(2025, 1, 1, tzinfo=UTC)
    for number, record in enumerate(records):
        try:
            if isinstance(record, tuple):
                key, value, last = record
                if not (isinstance(last, datetime) and last.tzinfo):
                    raise ValueError("its timestamp is no datetime with a zone")
            else:
                key, value = record.get(topic.KEY) if topic.KEY else None, record
                last = _moment(time, record) or last
            yield key if isinstance(key, bytes) else key_bytes(key), _value_bytes(value), last
        except (ValueError, TypeError, AttributeError) as error:
            raise Mistake(f"records of {topic.TOPIC}, [{number}]: {error}") from None


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
