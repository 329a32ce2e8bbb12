"""The data files of the archive: their records in order of offset. Runs in Spark's Python workers, on pyarrow alone.

Offsets may have gaps. Files and row groups that a compaction put together in another order are read in order of offset.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

Thing = TypeVar("Thing")

BATCH_ROWS = 16_384
"""Most rows of one Arrow batch. Over 2,000,000 records about 3 CPU-s, against 4 with 65,536."""


class ArchiveError(RuntimeError):
    """The archive does not hold what its own log says; the message names file, partition and offsets."""


@dataclass(frozen=True)
class LogFile:
    """One data file, as the Delta log describes it. Times are rounded outwards to a millisecond."""

    path: str
    partition: int
    first: int
    """Smallest offset."""
    last: int
    """Largest offset."""
    records: int
    first_time: datetime
    last_time: datetime
    bytes: int = 0


def schema() -> pa.Schema:
    """The archive's columns as Spark wants them from a Python data source."""
    from pyspark.sql.pandas.types import to_arrow_schema

    from schemas.archive import COLUMNS

    return to_arrow_schema(COLUMNS, timezone="UTC")


def batches(files: Sequence[LogFile], topic: str, partition: int, start: int, end: int) -> Iterator[pa.RecordBatch]:
    """Every record of `files` with an offset in [start, end), in order of offset. Raises ArchiveError."""
    wanted = schema()
    before = start - 1
    for together in runs([(file.first, file.last, file) for file in files]):
        groups = [group for file in together for group in _row_groups(file, start, end)]
        for run in runs(groups):
            table = pa.concat_tables([source.read_row_group(group, use_threads=False) for source, group in run])
            table = _cut(table, start, end)
            if len(table) == 0:
                continue
            if table["offset"][0].as_py() <= before:
                raise ArchiveError(f"Topic {topic}, partition {partition}: an offset stands twice after {before}.")
            before = table["offset"][-1].as_py()
            for batch in table.to_batches(BATCH_ROWS):
                yield _whole(batch, wanted, topic, partition)


def runs(spans: list[tuple[int, int, Thing]]) -> Iterator[list[Thing]]:
    """Put spans (first, last, thing) in order; those that overlap come together."""
    run: list[Thing] = []
    reach = -1
    for first, last, thing in sorted(spans, key=lambda span: span[:2]):
        if run and first > reach:
            yield run
            run = []
        run.append(thing)
        reach = max(reach, last)
    if run:
        yield run


def _row_groups(file: LogFile, start: int, end: int) -> Iterator[tuple[int, int, tuple[Any, int]]]:
    """The row groups of a file that may hold offsets in [start, end): (first, last, (open file, group))."""
    source = open_file(file)
    column = source.schema.names.index("offset")
    if source.metadata.num_rows != file.records:
        raise ArchiveError(f"{file.path} holds {source.metadata.num_rows} records; the log says {file.records}.")
    for group in range(source.metadata.num_row_groups):
        known = source.metadata.row_group(group).column(column).statistics
        first, last = (known.min, known.max) if known is not None and known.has_min_max else (file.first, file.last)
        if first < end and last >= start:
            yield first, last, (source, group)


def open_file(file: LogFile) -> Any:
    """Open a data file. Raises ArchiveError if it is gone or is not Parquet."""
    import pyarrow.parquet as pq

    place = f"partition {file.partition}, offsets {file.first} to {file.last}"
    try:
        if "://" not in file.path:
            return pq.ParquetFile(file.path, pre_buffer=False)
        system, path = pa.fs.FileSystem.from_uri(file.path)
        return pq.ParquetFile(system.open_input_file(path))
    except FileNotFoundError:
        raise ArchiveError(f"{file.path} ({place}) is gone although the archive's log holds it: restore it.") from None
    except pa.ArrowInvalid:
        raise ArchiveError(f"{file.path} ({place}) is damaged, not a Parquet file: restore it.") from None


def _cut(table: pa.Table, start: int, end: int) -> pa.Table:
    """The rows with an offset in [start, end), in order; a table that is in order is only sliced."""
    offsets = table["offset"].to_numpy()
    if (offsets[1:] <= offsets[:-1]).any():
        table = table.sort_by("offset")
        offsets = table["offset"].to_numpy()
        if (offsets[1:] == offsets[:-1]).any():
            raise ArchiveError(f"An offset between {offsets[0]} and {offsets[-1]} stands twice.")
    low, high = offsets.searchsorted([start, end])
    return table.slice(low, high - low)


def _whole(batch: pa.RecordBatch, wanted: pa.Schema, topic: str, partition: int) -> pa.RecordBatch:
    """A batch of a file with the columns that are folders, in the wanted order and types."""
    folders = {"topic": pa.scalar(topic), "partition": pa.scalar(partition, pa.int32())}
    columns = [
        pa.repeat(folders[field.name], batch.num_rows) if field.name in folders else batch[field.name].cast(field.type)
        for field in wanted
    ]
    return pa.RecordBatch.from_arrays(columns, schema=wanted)


def first_since(files: Sequence[LogFile], since: datetime) -> int | None:
    """The first offset, in files of one partition, whose record timestamp is `since` or later; None if none is."""
    instant = pa.scalar(since.astimezone(UTC), pa.timestamp("us", "UTC"))
    found: int | None = None
    for file in files:
        if found is not None and file.first > found:
            break
        if file.last_time + timedelta(milliseconds=1) < since:
            continue
        source = open_file(file)
        for group in range(source.metadata.num_row_groups):
            table = source.read_row_group(group, columns=["offset", "timestamp"], use_threads=False)
            least = pc.min(table["offset"].filter(pc.greater_equal(table["timestamp"], instant))).as_py()
            if least is not None:
                found = least if found is None else min(found, least)
    return found


def oldest(files: Sequence[LogFile], start: int, end: int) -> datetime | None:
    """The least record timestamp at an offset in [start, end), in files of one partition; None without a record."""
    found: list[datetime] = []
    for file in files:
        for _, _, (source, group) in _row_groups(file, start, end):
            table = source.read_row_group(group, columns=["offset", "timestamp"], use_threads=False)
            inside = pc.and_(pc.greater_equal(table["offset"], start), pc.less(table["offset"], end))
            found += [time for time in [pc.min(table["timestamp"].filter(inside)).as_py()] if time is not None]
    return min(found, default=None)
