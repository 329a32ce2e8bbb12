"""Records on their way into a topic: value, key and timestamp, and the batches that they travel in."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from jobs.admin.input.times import Unit, microseconds

Record = tuple[bytes, bytes | None, int]
"""Value, key, timestamp in microseconds since the epoch."""

BATCH_RECORDS = 65_536
BATCH_BYTES = 64 * 2**20


class NoField(ValueError):
    """An object lacks the field that is the record's key or timestamp."""


@dataclass(frozen=True)
class Fields:
    """Which fields of an object are the record's key and timestamp, and what time it is, microseconds, for the rest."""

    key: str | None
    timestamp: str | None
    clock: Callable[[], int]
    unit: Unit | None = None
    """Of a timestamp that is a number; None is seconds or milliseconds, by its size."""

    def record(self, value: bytes, fields: Any) -> Record:
        """Raises ValueError, with a reason that shows no value; NoField if the key's or the timestamp's is missing."""
        if self.key is None and self.timestamp is None:
            return value, None, self.clock()
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        for option, name in (("--key", self.key), ("--timestamp", self.timestamp)):
            if name is not None and name not in fields:
                raise NoField(f"no field {name}: check {option}; the line's own fields are not shown")
        key = None if self.key is None else key_bytes(fields[self.key])
        moment = self.clock() if self.timestamp is None else microseconds(fields[self.timestamp], self.unit)
        return value, key, moment


def key_bytes(field: Any) -> bytes | None:
    """A string in UTF-8, a number as its text, true or false; None for null. Raises ValueError for anything else."""
    if field is None:
        return None
    if isinstance(field, str):
        try:
            return field.encode()
        except UnicodeEncodeError:
            raise ValueError("the key holds half a surrogate pair, which no text may") from None
    if isinstance(field, bool | int | float):
        return json.dumps(field).encode()
    raise ValueError("the key is an object or an array: check --key")


def batches(records: Iterable[Record]) -> Iterator[pa.RecordBatch]:
    """The records as Arrow batches of key, value and timestamp."""
    waiting: list[Record] = []
    size = 0
    for record in records:
        waiting.append(record)
        size += len(record[0])
        if len(waiting) >= BATCH_RECORDS or size >= BATCH_BYTES:
            yield _batch(waiting)
            waiting, size = [], 0
    if waiting:
        yield _batch(waiting)


def _batch(records: list[Record]) -> pa.RecordBatch:
    values, keys, times = zip(*records, strict=True)
    return pa.record_batch(
        {
            "key": pa.array(keys, pa.binary()),
            "value": pa.array(values, pa.binary()),
            "timestamp": pa.array(times, pa.timestamp("us", "UTC")),
        }
    )
