"""Events of two hours from which the logs of the questions are made: seeded, made in bounded memory.

Each user has 20 events on average, at random times: 100,000 users in 2,000,000 events. Event times rise evenly, so
those of all partitions advance together; 5 % are up to 20 seconds earlier than their place in the log, none more.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bench_data import CHUNK, SCHEMA, START_MS

SPAN_MS = 2 * 3600 * 1000
EVENTS_PER_USER = 20
DISORDERED = 0.05
DISORDER_MS = 20_000


@dataclass(frozen=True)
class Events:
    """Some events one after the other."""

    ids: np.ndarray
    """Their places in the log."""
    times: np.ndarray
    """Event times, epoch milliseconds."""
    came: np.ndarray
    """When each came, epoch milliseconds."""
    is_marked: np.ndarray
    """True for the share that was asked for."""
    users: pa.StringArray


def draw(index: int, records: int, seed: int, share: float, unit_ms: int = 1) -> Events:
    """The events `index * CHUNK` and following of `records`; their event times are multiples of `unit_ms`."""
    rng = np.random.default_rng([seed, index])
    first = index * CHUNK
    size = min(CHUNK, records - first)
    ids = np.arange(first, first + size, dtype=np.int64)
    came = START_MS + ids * SPAN_MS // records
    on_time = came - came % unit_ms
    steps = DISORDER_MS // unit_ms
    times = on_time - np.where(rng.random(size) < DISORDERED, rng.integers(1, steps, size, endpoint=True) * unit_ms, 0)
    is_marked = rng.random(size) < share
    users = rng.integers(0, max(1, records // EVENTS_PER_USER), size)
    return Events(ids, times, came, is_marked, pc.binary_join_element_wise("u", pa.array(users).cast(pa.string()), ""))


def to_records(events: Events, **fields: np.ndarray) -> pa.RecordBatch:
    """The events as records, in JSON: user, id, ts, and these fields. The record key is the user."""
    parts: list[pa.Array | str] = ['{"user":"', events.users, '"']
    for name, column in {"id": events.ids, "ts": events.times, **fields}.items():
        parts += [f',"{name}":', pa.array(column).cast(pa.string())]
    values = pc.binary_join_element_wise(*parts, "}", "")
    times = pa.array(events.came * 1000).cast(SCHEMA.field("timestamp").type)
    return pa.record_batch([events.users.cast(pa.binary()), values.cast(pa.binary()), times], schema=SCHEMA)


def chunks(records: int) -> range:
    """The indexes of `draw` for so many events."""
    return range(-(-records // CHUNK))
