"""Kept events: facts that are events as the transform gave them, with the hash of their group, and whether they were
late.

They are kept as long as an answer, or a straggler that may still correct one, needs them.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql.types import BooleanType, LongType, StructField, StructType

from jobs.events import equality
from jobs.events.arrow_step import ArrowStep
from jobs.events.key_hash import key_hashes

KEY_HASH, LATE = "key_hash", "late"
PLACE = ("record_partition", "record_offset")
"""Columns of an event that tell its place in its topic."""
LATE_COLUMN = StructField(LATE, BooleanType(), True, {"comment": "Whether the record was late."})
_NULL = np.uint64(0x9E3779B97F4A7C15)
"""Stands for the hash of null."""
_FACTOR = np.uint64(0xC2B2AE3D27D4EB4F)


def output(kinds: StructType) -> StructType:
    """The columns of the table, but for `sequence`. `kinds`: those of the events."""
    return StructType(
        [
            *kinds,
            LATE_COLUMN,
            StructField(KEY_HASH, LongType(), True, {"comment": "Hash of the group."}),
        ]
    )


def hash_step(kinds: StructType, by: tuple[str, ...]) -> ArrowStep:
    """The step that adds the column `key_hash` to events of the columns `kinds`; `by` gets one zero, one NaN."""
    columns = StructType([*kinds, StructField(KEY_HASH, LongType())])

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            events = equality.normalise_columns(pa.Table.from_batches([batch]), by)
            hashed = events.append_column(KEY_HASH, group_hashes(events, by))
            yield from hashed.combine_chunks().to_batches()

    return ArrowStep(process, columns)


def group_hashes(events: pa.Table, by: tuple[str, ...]) -> pa.Array:
    """For each event a hash of its columns `by`, int64. Equal groups have equal hashes; unlike ones may, too: a hash
    only leads to a group, whose columns decide.
    """
    hashes = np.zeros(len(events), np.uint64)
    for name in by:
        encoded = events[name].combine_chunks().dictionary_encode()
        different = encoded.dictionary
        if not pa.types.is_binary(different.type):
            different = different.cast(pa.string()).cast(pa.binary())
        of_values = key_hashes(different).fill_null(0).to_numpy(zero_copy_only=False).view(np.uint64)
        of_values = np.append(of_values, _NULL)
        places = encoded.indices.fill_null(len(different)).to_numpy(zero_copy_only=False)
        hashes = hashes * _FACTOR + of_values[places]
    return pa.array(hashes.view(np.int64))


def mark_late(events: pa.Table, stragglers: pa.Table) -> pa.Table:
    """The events, of one topic, with the column `late`: whether their place is among those of `stragglers`
    (stragglers.table).
    """
    late = np.isin(_places(events, PLACE), _places(stragglers, ("partition", "offset")))
    return events.append_column(LATE, pa.array(late))


def _places(rows: pa.Table, names: tuple[str, str]) -> np.ndarray:
    """A number for each place in the log. Offsets of Kafka and of the archive are below 2 ** 44 for centuries."""
    partitions, offsets = (rows[name].cast(pa.int64()).to_numpy() for name in names)
    places: np.ndarray = partitions * 2**44 + offsets
    return places
