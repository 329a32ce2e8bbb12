"""The records of data files of the archive, in order of offset. Runs in Spark's Python workers, on pyarrow alone.

Offsets may have gaps. Files and row groups that a compaction put together in another order are read in order of offset.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from jobs.log.archive.data_file import ArchiveError, DataFile, parse_covers
from jobs.running import storage
from schemas.archive import COLUMNS, PARTITIONED_BY

Thing = TypeVar("Thing")

BATCH_ROWS = 16_384
"""Most rows of one Arrow batch. Over 2,000,000 records about 3 CPU-s, against 4 with 65,536."""


def schema() -> pa.Schema:
    """The archive's columns as Spark wants them from a Python data source."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(COLUMNS, timezone="UTC")


def batches(
    files: Sequence[DataFile],
    topic: str,
    partition: int,
    start: int,
    end: int,
    names: Sequence[str] | None = None,
    most_rows: int = BATCH_ROWS,
) -> Iterator[pa.RecordBatch]:
    """Every record of `files` with an offset in [start, end), in order of offset: the columns `names`, or all of them,
    in batches of at most `most_rows`. Raises ArchiveError.
    """
    wanted = pa.schema([schema().field(name) for name in names]) if names else schema()
    stored = [name for name in {"offset", *wanted.names} if name not in PARTITIONED_BY]
    before = start - 1
    for overlapping in group_overlapping([(file.start, file.end, file) for file in files]):
        row_groups = [group for file in overlapping for group in _row_groups(file, start, end)]
        for groups in group_overlapping(row_groups):
            table = pa.concat_tables(
                [source.read_row_group(n, columns=stored, use_threads=False) for source, n in groups]
            )
            table = _cut(table, start, end)
            if len(table) == 0:
                continue
            if table["offset"][0].as_py() <= before:
                raise ArchiveError(f"Topic {topic}, partition {partition}: an offset stands twice after {before}.")
            before = table["offset"][-1].as_py()
            for batch in table.to_batches(most_rows):
                yield _with_folders(batch, wanted, topic, partition)


def group_overlapping(spans: list[tuple[int, int, Thing]]) -> Iterator[list[Thing]]:
    """Put spans (start, end, thing) in order; those that overlap come together."""
    group: list[Thing] = []
    group_end = 0
    for start, end, thing in sorted(spans, key=lambda span: span[:2]):
        if group and start >= group_end:
            yield group
            group = []
        group.append(thing)
        group_end = max(group_end, end)
    if group:
        yield group


def _row_groups(file: DataFile, start: int, end: int) -> Iterator[tuple[int, int, tuple[Any, int]]]:
    """The row groups of a file that may hold offsets in [start, end): (start, end, (open file, group))."""
    source = open_file(file)
    column = source.schema.names.index("offset")
    if source.metadata.num_rows != file.records:
        raise ArchiveError(f"{file.location} holds {source.metadata.num_rows} records; the log says {file.records}.")
    for group in range(source.metadata.num_row_groups):
        known = source.metadata.row_group(group).column(column).statistics
        is_known = known is not None and known.has_min_max
        low, high = (known.min, known.max + 1) if is_known else (file.start, file.end)
        if low < end and high > start:
            yield low, high, (source, group)


def open_file(file: DataFile) -> Any:
    """Open a data file. Raises ArchiveError if it is gone or is not Parquet, OSError if it cannot be read."""
    import pyarrow.parquet as pq

    place = f"partition {file.partition}, offsets {file.start} to {file.end - 1}"
    system, path = storage.filesystem(file.location)
    try:
        return pq.ParquetFile(system.open_input_file(path))
    except FileNotFoundError:
        raise ArchiveError(
            f"{file.location} ({place}) is gone although the archive's log holds it: restore it."
        ) from None
    except pa.ArrowInvalid:
        raise ArchiveError(f"{file.location} ({place}) is damaged, not a Parquet file: restore it.") from None


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


def _with_folders(batch: pa.RecordBatch, wanted: pa.Schema, topic: str, partition: int) -> pa.RecordBatch:
    """A batch of a file with the columns that are folders, in the wanted order and types."""
    folders = {"topic": pa.scalar(topic), "partition": pa.scalar(partition, pa.int32())}
    columns = [
        pa.repeat(folders[field.name], batch.num_rows) if field.name in folders else batch[field.name].cast(field.type)
        for field in wanted
    ]
    return pa.RecordBatch.from_arrays(columns, schema=wanted)


def read_columns(file: DataFile, names: Sequence[str]) -> pa.Table:
    """These columns of all records of a file, in the order of the file. Raises ArchiveError, OSError."""
    with open_file(file) as source:
        table = source.read(columns=list(names), use_threads=False).select(list(names))
    wanted = schema()
    return table.cast(pa.schema([wanted.field(name) for name in names]))


def covered_offsets(file: DataFile) -> tuple[int, int] | None:
    """The offsets [start, end) that were read for a file that was copied from Kafka; None for other files.

    Raises ArchiveError, OSError.
    """
    with open_file(file) as source:
        return parse_covers(source.metadata.metadata)


def first_offset_since(files: Sequence[DataFile], time: datetime) -> int | None:
    """The first offset, in files of one partition, whose record timestamp is `time` or later; None if none is."""
    instant = pa.scalar(time.astimezone(UTC), pa.timestamp("us", "UTC"))
    first: int | None = None
    for file in files:
        if first is not None and file.start > first:
            break
        if file.last_time + timedelta(milliseconds=1) < time:
            continue
        source = open_file(file)
        for group in range(source.metadata.num_row_groups):
            table = source.read_row_group(group, columns=["offset", "timestamp"], use_threads=False)
            least = pc.min(table["offset"].filter(pc.greater_equal(table["timestamp"], instant))).as_py()
            if least is not None:
                first = least if first is None else min(first, least)
    return first


def oldest_time(files: Sequence[DataFile], start: int, end: int) -> datetime | None:
    """The least record timestamp at an offset in [start, end), in files of one partition; None without a record."""
    times: list[datetime] = []
    for file in files:
        for _, _, (source, group) in _row_groups(file, start, end):
            table = source.read_row_group(group, columns=["offset", "timestamp"], use_threads=False)
            inside = pc.and_(pc.greater_equal(table["offset"], start), pc.less(table["offset"], end))
            times += [time for time in [pc.min(table["timestamp"].filter(inside)).as_py()] if time is not None]
    return min(times, default=None)
