"""Stragglers: the late records of a batch, from the tasks that read it to the table that names them."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from jobs.events.lateness_rule import LatenessRule
from schemas import straggler

_PLACES = pa.schema([("offset", pa.int64()), ("event_micros", pa.int64()), ("stream_micros", pa.int64())])
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")
_COLUMNS = to_arrow_schema(
    StructType([field for field in straggler.COLUMNS if field.name != "sequence"]), timezone="UTC"
)
CORRECTED, QUARANTINED, DROPPED = "corrected", "quarantined", "dropped"
"""What became of a late record."""
LATE, TOO_LATE = "late", "too_late"
"""Reasons of quarantine."""


def to_bytes(offsets: np.ndarray, event_micros: np.ndarray, stream_micros: np.ndarray) -> bytes:
    """The late records of one partition, for the way from a task to the driver."""
    sink = pa.BufferOutputStream()
    columns = pa.record_batch([offsets, event_micros, stream_micros], schema=_PLACES)
    with pa.ipc.new_stream(sink, _PLACES, options=_COMPRESSED) as writer:
        writer.write_batch(columns)
    return bytes(sink.getvalue())


def table(topic: str, measures: Iterable[Mapping[str, Any]], rule: LatenessRule) -> pa.Table:
    """The columns of schemas/straggler.py, but for `sequence`, of these lateness.MEASURES; in order of partition and
    offset.
    """
    parts = [_of_partition(topic, one["record_partition"], bytes(one["stragglers"]), rule)
             for one in measures if one["stragglers"]]  # fmt: skip
    found = pa.concat_tables([_COLUMNS.empty_table(), *parts])
    return found.sort_by([("partition", "ascending"), ("offset", "ascending")])


def _of_partition(topic: str, partition: int, content: bytes, rule: LatenessRule) -> pa.Table:
    with pa.ipc.open_stream(content) as reader:
        places = reader.read_all()
    behind = pc.subtract(places["stream_micros"], places["event_micros"])
    done = {"correct": CORRECTED, "quarantine": QUARANTINED, "drop": DROPPED}[rule.then]
    is_too_late = rule.is_too_late(behind.to_numpy(), places["event_micros"].to_numpy())
    columns = {
        "topic": pa.repeat(topic, len(places)),
        "partition": pa.repeat(pa.scalar(partition, pa.int32()), len(places)),
        "offset": places["offset"],
        "event_time": places["event_micros"].cast(_COLUMNS.field("event_time").type),
        "stream_time": places["stream_micros"].cast(_COLUMNS.field("stream_time").type),
        "lateness_seconds": behind.to_numpy() / 1e6,
        "done": pc.if_else(pa.array(is_too_late), QUARANTINED, done),
    }
    return pa.table(columns, schema=_COLUMNS)


def too_late(found: pa.Table, rule: LatenessRule) -> np.ndarray:
    """Which of these stragglers are too late for the answers that they would change."""
    stream_micros, event_micros = (found[name].cast(pa.int64()).to_numpy() for name in ("stream_time", "event_time"))
    return rule.is_too_late(stream_micros - event_micros, event_micros)
