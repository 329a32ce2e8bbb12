"""A data file of the archive: what the Delta log says of it, and what its footer says of the offsets that it covers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from deltalake import DeltaTable

COVERS = "headrace.covers"
"""Footer key of a file that was copied from Kafka: START-END, the offsets that were read for it, without END."""


class ArchiveError(RuntimeError):
    """The archive does not hold what its own log says; the message names file, partition and offsets."""


@dataclass(frozen=True)
class DataFile:
    """A data file that is part of the table, with offsets in [start, end). Times are rounded outwards to a
    millisecond.
    """

    table: str
    path: str
    """Relative to the table."""
    partition: int
    start: int
    """Smallest offset."""
    end: int
    """The offset after the largest."""
    records: int
    first_time: datetime
    last_time: datetime
    bytes: int = 0

    @property
    def location(self) -> str:
        """Its path or URI."""
        return f"{self.table}/{self.path}"


def list_files(table: "DeltaTable", path: str, topic: str) -> list[DataFile]:
    """The topic's files in the table at `path`, by partition and offset, from the statistics in the Delta log alone.

    Raises ArchiveError when a file has no statistics.
    """
    actions = pa.table(table.get_add_actions(flatten=True))
    rows = actions.filter(pc.equal(actions["partition.topic"], topic)).to_pylist() if len(actions) else []
    for row in rows:
        if row.get("min.offset") is None or row.get("max.offset") is None or row.get("min.timestamp") is None:
            raise ArchiveError(f"{path}/{row['path']} has no statistics of offset and timestamp in the log.")
    files = [
        DataFile(
            path,
            row["path"],
            row["partition.partition"],
            row["min.offset"],
            row["max.offset"] + 1,
            row["num_records"],
            row["min.timestamp"],
            row["max.timestamp"],
            row["size_bytes"],
        )
        for row in rows
    ]
    return sorted(files, key=lambda file: (file.partition, file.start))


def covers_footer(start: int, end: int) -> dict[str, str]:
    """The footer of a file for which the offsets [start, end) were read: those without a record have none."""
    return {COVERS: f"{start}-{end}"}


def parse_covers(footer: Mapping[bytes, bytes] | None) -> tuple[int, int] | None:
    """The offsets [start, end) of `covers_footer`; None if the file says nothing."""
    text = (footer or {}).get(COVERS.encode())
    if text is None:
        return None
    start, _, end = text.decode().partition("-")
    return int(start), int(end)
