"""The data files of one append to the archive, written before the commit that makes them part of it.

One file holds one partition in order of offset, in row groups of 65,536 records, so that a reader opens only what it
needs. Compressed with zstd: a third smaller than snappy here, and as fast to read.
"""

import contextlib
import json
import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.log.archive.data_file import covers_footer
from jobs.running import storage
from jobs.running.instants import EPOCH
from schemas.archive import COLUMNS, PARTITIONED_BY

ROW_GROUP_RECORDS = 65_536
ROW_GROUP_BYTES = 64 * 2**20
"""A row group is written as soon as it has this many records or bytes, which bounds the memory of a partition."""
FILE_RECORDS = 16 * ROW_GROUP_RECORDS
"""Most records of a file: its footer is read for every batch that touches it."""

SCHEMA = pa.schema([field for field in to_arrow_schema(COLUMNS, timezone="UTC") if field.name not in PARTITIONED_BY])
"""The columns in a file; the others are its folders."""


@dataclass(frozen=True)
class NewFile:
    """A finished file with offsets in [start, end). Times are microseconds since the epoch."""

    path: str
    """Relative to the table."""
    partition: int
    start: int
    end: int
    records: int
    first_us: int
    last_us: int
    bytes: int

    def statistics(self) -> str:
        """For the Delta log; times are rounded outwards to a millisecond, the finest that every reader knows."""
        least = {"offset": self.start, "timestamp": _iso(self.first_us // 1000)}
        most = {"offset": self.end - 1, "timestamp": _iso(-(-self.last_us // 1000))}
        none = {"offset": 0, "timestamp": 0}
        return json.dumps({"numRecords": self.records, "minValues": least, "maxValues": most, "nullCount": none})


def _iso(milliseconds: int) -> str:
    time = EPOCH + timedelta(milliseconds=milliseconds)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class PartitionFiles:
    """Writes the files of one partition of a topic below the table `path`.

    Records without an offset get the offsets from `start` on; others keep theirs, with gaps. With `covers_from` the
    footer of each file says which offsets were read for it, so that a gap is known to hold no record: the first file
    covers the offsets from `covers_from`, each other those from where the one before it ends.
    """

    def __init__(self, path: str, topic: str, partition: int, start: int, covers_from: int | None = None) -> None:
        self._system, self._root = storage.filesystem(path)
        self._folder = f"topic={topic}/partition={partition}"
        self._partition = partition
        self._next = start
        self._covers_from = covers_from
        self._waiting: list[pa.RecordBatch] = []
        self._records = self._bytes = 0
        self._writer: Any = None
        self._open: NewFile | None = None
        self.written: list[NewFile] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Take records (key, value, timestamp, headers) in their order. Raises OSError."""
        self._waiting.append(batch)
        self._records += batch.num_rows
        self._bytes += batch.nbytes
        if self._records >= ROW_GROUP_RECORDS or self._bytes >= ROW_GROUP_BYTES:
            self._flush(everything=self._bytes >= ROW_GROUP_BYTES)

    def close(self, covers_until: int | None = None) -> None:
        """Write what waits and finish the file, which covers the offsets before `covers_until`. Raises OSError."""
        self._flush(everything=True)
        self._finish(covers_until)

    def discard(self) -> None:
        """Delete the files; none of them may have been committed. What cannot be deleted stays: no reader sees it."""
        unfinished, self._open = self._open, None
        if unfinished is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
        for file in [*self.written, *([unfinished] if unfinished else [])]:
            with contextlib.suppress(OSError):
                self._system.delete_file(f"{self._root}/{file.path}")
        self.written = []

    def rebase(self, start: int) -> None:
        """Give the records the offsets from `start` on, in new files: another append took theirs. Raises OSError."""
        self.written = [self._shift(file, start - self.written[0].start) for file in self.written]

    def _flush(self, everything: bool) -> None:
        table = pa.Table.from_batches(self._waiting) if self._waiting else None
        while table is not None and len(table) >= (1 if everything else ROW_GROUP_RECORDS):
            self._write(table.slice(0, ROW_GROUP_RECORDS))
            table = table.slice(ROW_GROUP_RECORDS)
        self._waiting = table.to_batches() if table is not None else []
        self._records = 0 if table is None else len(table)
        self._bytes = 0 if table is None else table.nbytes

    def _write(self, rows: pa.Table) -> None:
        """Write one row group."""
        if "offset" not in rows.schema.names:
            rows = rows.append_column("offset", pa.array(np.arange(self._next, self._next + len(rows))))
            rows = rows.append_column("timestampType", pa.repeat(pa.scalar(0, pa.int32()), len(rows)))
        first, last = rows["offset"][0].as_py(), rows["offset"][-1].as_py()
        times = pc.min_max(rows["timestamp"].cast(pa.int64()))
        first_us, last_us = times["min"].as_py(), times["max"].as_py()
        if self._open is None:
            self._open = NewFile(self._name(), self._partition, first, last + 1, 0, first_us, last_us, 0)
            self._writer = self._create(self._open.path)
        self._writer.write_table(rows.select(SCHEMA.names).cast(SCHEMA), row_group_size=ROW_GROUP_RECORDS)
        self._next = last + 1
        self._open = replace(
            self._open,
            end=last + 1,
            records=self._open.records + len(rows),
            first_us=min(self._open.first_us, first_us),
            last_us=max(self._open.last_us, last_us),
        )
        if self._open.records >= FILE_RECORDS:
            self._finish()

    def _finish(self, covers_until: int | None = None) -> None:
        if self._open is None:
            return
        file, self._open = self._open, None
        writer, self._writer = self._writer, None
        if self._covers_from is not None:
            covers_until = covers_until or file.end
            writer.add_key_value_metadata(covers_footer(self._covers_from, covers_until))
            self._covers_from = covers_until
        writer.close()
        self.written.append(replace(file, bytes=self._system.get_file_info(f"{self._root}/{file.path}").size))

    def _shift(self, file: NewFile, by: int) -> NewFile:
        """Copy the file with offsets that are `by` greater, a row group at a time, and delete it."""
        shifted = replace(file, path=self._name(), start=file.start + by, end=file.end + by)
        source = pq.ParquetFile(self._system.open_input_file(f"{self._root}/{file.path}"))
        with source, self._create(shifted.path) as writer:
            for group in range(source.num_row_groups):
                rows = source.read_row_group(group)
                place = rows.schema.get_field_index("offset")
                rows = rows.set_column(place, SCHEMA.field("offset"), pc.add(rows["offset"], by))
                writer.write_table(rows, row_group_size=ROW_GROUP_RECORDS)
        self._system.delete_file(f"{self._root}/{file.path}")
        return replace(shifted, bytes=self._system.get_file_info(f"{self._root}/{shifted.path}").size)

    def _name(self) -> str:
        return f"{self._folder}/part-{uuid.uuid4()}.zstd.parquet"

    def _create(self, name: str) -> pq.ParquetWriter:
        self._system.create_dir(f"{self._root}/{self._folder}", recursive=True)
        return pq.ParquetWriter(
            f"{self._root}/{name}",
            SCHEMA,
            filesystem=self._system,
            compression="zstd",
            use_dictionary=["key", "timestampType"],
            write_statistics=["offset", "timestamp"],
        )
