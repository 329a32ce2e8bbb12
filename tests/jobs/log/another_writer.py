"""An archive as another program writes it: offsets in any order, and nothing in the commits that headrace would add."""

from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema

from schemas.archive import COLUMNS

Row = tuple[int, int, str]
"""Partition, offset, value."""


def fill(path: Path, rows: list[Row], topic: str = "t", times_ms: list[int] | None = None) -> None:
    """Write one file a partition, as another writer would, with the offsets given and in the order given."""
    times = times_ms or [offset for _, offset, _ in rows]
    columns = {
        "key": [None] * len(rows),
        "value": [value.encode() for _, _, value in rows],
        "topic": [topic] * len(rows),
        "partition": [partition for partition, _, _ in rows],
        "offset": [offset for _, offset, _ in rows],
        "timestamp": [time * 1000 for time in times],
        "timestampType": [0] * len(rows),
        "headers": [None] * len(rows),
    }
    schema = to_arrow_schema(COLUMNS, timezone="UTC")
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    table = pa.Table.from_arrays(arrays, schema=schema)
    write_deltalake(str(path), table, mode="append", partition_by=["topic", "partition"])
