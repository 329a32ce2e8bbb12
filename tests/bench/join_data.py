"""Records of two topics, to be joined: searches and clicks of two hours, seeded, made in bounded memory.

    {"user": "u17", "id": 42, "ts": 1767225600000}

100,000 users, all alike; three of ten records are clicks; `ts` (epoch milliseconds) rises evenly over two hours, and 5
% of the records are up to 20 seconds earlier than their place in the log. The record key is the user.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bench_data import CHUNK, SCHEMA, START_MS

SEED = 20260102
USERS = 100_000
SPAN_MS = 2 * 3600 * 1000
SHARE_OF_CLICKS = 0.3
DISORDERED = 0.05
DISORDER_MS = 20_000
TOPICS = ("searches", "clicks")


def batch(index: int, records: int) -> dict[str, pa.RecordBatch]:
    """By topic, the records `index * CHUNK` and following of logs that have `records` records together."""
    rng = np.random.default_rng([SEED, index])
    first = index * CHUNK
    size = min(CHUNK, records - first)
    numbers = np.arange(first, first + size, dtype=np.int64)
    came = START_MS + numbers * SPAN_MS // records
    event = came - np.where(rng.random(size) < DISORDERED, rng.integers(1, DISORDER_MS + 1, size), 0)
    is_click = rng.random(size) < SHARE_OF_CLICKS
    key = pc.binary_join_element_wise("u", pa.array(rng.integers(0, USERS, size)).cast(pa.string()), "")
    texts = [pa.array(column).cast(pa.string()) for column in (numbers, event)]
    value = pc.binary_join_element_wise('{"user":"', key, '","id":', texts[0], ',"ts":', texts[1], "}", "")
    times = pa.array(came * 1000).cast(SCHEMA.field("timestamp").type)
    both = pa.record_batch([key.cast(pa.binary()), value.cast(pa.binary()), times], schema=SCHEMA)
    return {topic: both.filter(pa.array(is_click == (topic == "clicks"))) for topic in TOPICS}


def batches(topic: str, records: int) -> Iterator[pa.RecordBatch]:
    """The records of one topic, in the order in which they came; `records`: of both."""
    for index in range(-(-records // CHUNK)):
        yield batch(index, records)[topic]
