"""A topic whose records are numbered."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from jobs.log.archive.writer import append

START = datetime(2024, 5, 1, tzinfo=UTC)


def fill(path: Path, count: int, partitions: int = 1, topic: str = "t") -> None:
    """Append records whose value is their number among all of one append, a second apart."""
    values = [str(number).encode() for number in range(count)]
    times = [START + timedelta(seconds=number) for number in range(count)]
    columns = {"key": pa.nulls(count, pa.binary()), "value": values, "timestamp": times}
    append(str(path), topic, partitions, [pa.record_batch(columns)])
