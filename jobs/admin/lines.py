"""Lines of text as records: newline-delimited JSON, or lines as they are.

A record's value is the line's bytes, unchanged. Messages name file and line, never what stands in it.
"""

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import pyarrow as pa

from jobs.run import Refused

Record = tuple[bytes, bytes | None, int]
"""Value, key, timestamp in microseconds since the epoch."""

BATCH_RECORDS = 65_536
BATCH_BYTES = 64 * 2**20
MOST_SECONDS = 10**11
"""A number below this is seconds since the epoch (to the year 5138), from it on milliseconds (from 1973)."""
STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Fields:
    """Which fields of an object are the record's key and timestamp, and what time it is, microseconds, for the rest."""

    key: str | None
    timestamp: str | None
    clock: Callable[[], int]

    def record(self, value: bytes, fields: Any) -> Record:
        """Raises ValueError, with a reason that shows no value."""
        if self.key is None and self.timestamp is None:
            return value, None, self.clock()
        if not isinstance(fields, dict):
            raise ValueError("not a JSON object")
        for name in (self.key, self.timestamp):
            if name is not None and name not in fields:
                raise ValueError(f"no field {name}")
        key = None if self.key is None else key_bytes(fields[self.key])
        return value, key, self.clock() if self.timestamp is None else microseconds(fields[self.timestamp])


def key_bytes(field: Any) -> bytes | None:
    """A string in UTF-8, a number as its text, true or false; None for null. Raises ValueError for anything else."""
    if field is None:
        return None
    if isinstance(field, str):
        return field.encode()
    if isinstance(field, bool | int | float):
        return json.dumps(field).encode()
    raise ValueError("the key is an object or an array")


def microseconds(field: Any) -> int:
    """A time as microseconds since the epoch. Raises ValueError.

    ISO-8601 with a zone; or a number: seconds since the epoch if it is below 10 ** 11, else milliseconds.
    """
    text = field if isinstance(field, str) else json.dumps(field)
    try:
        number = float(text)
    except ValueError:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("the timestamp is not ISO-8601 or a number") from None
        if time.tzinfo is None:
            raise ValueError("the timestamp has no zone, such as Z or +01:00") from None
        return round(time.timestamp() * 1_000_000)
    if not abs(number) < MOST_SECONDS * 1000:
        raise ValueError("the timestamp is neither seconds nor milliseconds since the epoch")
    return round(number * (1_000_000 if abs(number) < MOST_SECONDS else 1000))


def ndjson(name: str, stream: IO[bytes], fields: Fields, keep_bad: bool) -> Iterator[Record]:
    """One record a line; empty lines are left out.

    A line that is not JSON, or lacks the key's or the timestamp's field, raises Refused; with `keep_bad` it is a record
    without a key, of now. A key that is null is no key.
    """
    text = (lambda number: number) if fields.key or fields.timestamp else None
    decode = json.JSONDecoder(parse_int=text, parse_float=text, parse_constant=_not_json).decode
    for number, line in enumerate(stream, 1):
        value = line.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            value = value.removeprefix(b"\xef\xbb\xbf")
        if not value.strip():
            continue
        try:
            try:
                found = decode(value.decode())
            except (ValueError, RecursionError):
                raise ValueError("not JSON in UTF-8") from None
            yield fields.record(value, found)
        except ValueError as why:
            if not keep_bad:
                raise Refused(f"{name}, line {number}: {why}. --keep-bad writes such lines as they are.") from None
            yield value, None, fields.clock()


def _not_json(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def raw(stream: IO[bytes], fields: Fields) -> Iterator[Record]:
    """One record a line, whatever stands in it, without a key."""
    for line in stream:
        yield line.removesuffix(b"\n"), None, fields.clock()


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


@contextmanager
def opened(name: str) -> Iterator[IO[bytes]]:
    """A file's bytes, unpacked if its name ends in .gz; `-` is the standard input. Raises Refused."""
    try:
        if name == STANDARD_INPUT:
            yield sys.stdin.buffer
        elif name.endswith(".gz"):
            with gzip.open(name) as packed:
                yield cast(IO[bytes], packed)
        else:
            with Path(name).open("rb") as plain:
                yield plain
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Refused(f"{name} is not a whole gzip file.") from None
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if error.filename != name:
            raise
        raise Refused(f"cannot read {name}: {error.strerror}.") from None
