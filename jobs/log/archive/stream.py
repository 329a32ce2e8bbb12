"""The Python data source `headrace_archive`: the archive as a stream, with offsets as Kafka's.

Options: `path`, `topic`, `startingOffsets` (default: earliest), `startingTimestamp` (overrides startingOffsets; a
partition with no record that late starts at its end), `maxOffsetsPerTrigger`. An offset is {"0": n, ...}: the next
offset to read of each partition. Spark runs the planning in a process of its own and `read` in its Python workers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import ReadAllAvailable, ReadLimit, ReadMaxRows, SupportsTriggerAvailableNow
from pyspark.sql.types import StructType

from jobs.log.archive.data_file import ArchiveError, DataFile
from jobs.log.archive.file_reader import batches
from jobs.log.archive.snapshot import Snapshot
from jobs.log.offsets import Offsets, batch_ends, parse_offsets, parse_time
from jobs.running.late_pandas import import_pandas_late
from schemas.archive import COLUMNS

FORMAT = "headrace_archive"
"""The name of the data source in Spark."""
GONE = "no longer has the offsets"
"""In the message for records that retention removed before a query has read them; jobs.running.errors looks for it."""


class ArchiveSource(DataSource):
    """The archive of one topic."""

    @classmethod
    def name(cls) -> str:
        return FORMAT

    def schema(self) -> StructType:
        return COLUMNS

    def streamReader(self, schema: StructType) -> "ArchiveReader":  # noqa: N802
        return ArchiveReader(dict(self.options.items()))


@dataclass
class Slice(InputPartition):
    """The records of one partition with an offset in [start, end)."""

    partition: int
    start: int
    end: int
    files: list[DataFile]


class ArchiveReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Plans the batches of one query, and reads them. Raises ValueError for an option that is missing or wrong."""

    def __init__(self, options: dict[str, str]) -> None:
        import_pandas_late()
        given = {name.lower(): value for name, value in options.items()}
        for name in ("path", "topic"):
            if not given.get(name):
                raise ValueError(f"{FORMAT}: the option {name} is missing.")
        limit = given.get("maxoffsetspertrigger")
        if limit is not None and not (limit.isdecimal() and int(limit) > 0):
            raise ValueError("maxOffsetsPerTrigger: give a whole number from 1.")
        self._limit = None if limit is None else int(limit)
        self._start = given.get("startingoffsets", "earliest")
        self._since = None if given.get("startingtimestamp") is None else parse_time(given["startingtimestamp"])
        self._log = Snapshot(given["path"], given["topic"])
        self._pinned: Offsets | None = None

    def initialOffset(self) -> dict[str, int]:  # noqa: N802
        log = self._log.refresh()
        if self._since is None:
            return _to_json(parse_offsets(self._start, log.topic, log.firsts(), log.ends))
        return _to_json(log.offsets_since(self._since))

    def getDefaultReadLimit(self) -> ReadLimit:  # noqa: N802
        return ReadAllAvailable() if self._limit is None else ReadMaxRows(self._limit)

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802
        self._pinned = dict(self._log.refresh().ends)

    def latestOffset(self, start: dict[str, int], limit: ReadLimit) -> dict[str, int]:  # noqa: N802
        starts = self._offsets_in_log(start)
        rows = limit.max_rows if isinstance(limit, ReadMaxRows) else None
        ends = self._log.ends if self._pinned is None else self._pinned
        return _to_json(starts | batch_ends(starts, ends, rows))

    def reportLatestOffset(self) -> dict[str, int] | None:  # noqa: N802
        return _to_json(self._log.ends) or None

    def partitions(self, start: dict[str, int], end: dict[str, int]) -> Sequence[InputPartition]:
        starts, ends = _from_json(start), self._offsets_in_log(end)
        firsts = self._log.firsts()
        slices = []
        for partition, slice_end in sorted(ends.items()):
            slice_start = starts.get(partition, 0)
            if slice_start < min(slice_end, firsts.get(partition, 0)):
                raise ArchiveError(
                    f"Partition {partition} of topic {self._log.topic} in {self._log.path} {GONE} {slice_start} to "
                    f"{firsts[partition] - 1}, which were not read yet: retention was faster."
                )
            files = self._log.files_of(partition, slice_start, slice_end)
            if slice_start < slice_end and files:
                slices.append(Slice(partition, slice_start, slice_end, files))
        return slices

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        assert isinstance(partition, Slice)
        import_pandas_late()
        return batches(partition.files, self._log.topic, partition.partition, partition.start, partition.end)

    def _offsets_in_log(self, json: dict[str, int]) -> Offsets:
        """The offsets of Spark's JSON. Raises ArchiveError if the log ends before one of them."""
        log = self._log.refresh()
        offsets = _from_json(json)
        for partition, offset in offsets.items():
            if offset > log.ends.get(partition, 0):
                raise ArchiveError(
                    f"Partition {partition} of topic {log.topic} in {log.path} ends before offset "
                    f"{log.ends.get(partition, 0)}, but was read up to {offset}: the archive was replaced or set back."
                )
        return offsets


def _to_json(offsets: Offsets) -> dict[str, int]:
    return {str(partition): offset for partition, offset in sorted(offsets.items())}


def _from_json(json: dict[str, int]) -> Offsets:
    return {int(partition): offset for partition, offset in json.items()}
