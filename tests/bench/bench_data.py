"""The records every contender reads: page views of two hours, seeded, made in bounded memory.

    {"user": "u17", "page": "p3", "ms": 240, "ts": 1767225600000}

200,000 users, Zipf 1.1; 1,000 pages, Zipf 0.8; `ts` (epoch milliseconds) rises evenly over two hours, and 5 % of
the records are up to 30 seconds earlier than their place in the log. The record key is the user, the record
timestamp is the time at which the record came.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SEED = 20260101
USERS = 200_000
PAGES = 1_000
USER_EXPONENT = 1.1
PAGE_EXPONENT = 0.8
START_MS = 1_767_225_600_000
"""2026-01-01 00:00 UTC."""
SPAN_MS = 2 * 3600 * 1000
DISORDERED = 0.05
"""Share of the records that come later than their event time."""
DISORDER_MS = 30_000
"""How much later they come, at most."""
CHUNK = 100_000
"""Records in one batch; part of the seed, so that the data do not depend on who reads them."""

SCHEMA = pa.schema([("key", pa.binary()), ("value", pa.binary()), ("timestamp", pa.timestamp("us", tz="UTC"))])


def zipf(size: int, exponent: float) -> np.ndarray:
    """Cumulative probabilities of the ranks 1..size, the rank k having weight k ** -exponent."""
    weights = np.arange(1, size + 1, dtype=np.float64) ** -exponent
    cumulative: np.ndarray = np.cumsum(weights)
    shares: np.ndarray = cumulative / cumulative[-1]
    return shares


def batch(index: int, records: int, users: np.ndarray, pages: np.ndarray) -> pa.RecordBatch:
    """The records `index * CHUNK` and following of a log of `records` records."""
    rng = np.random.default_rng([SEED, index])
    first = index * CHUNK
    size = min(CHUNK, records - first)
    came = START_MS + np.arange(first, first + size, dtype=np.int64) * SPAN_MS // records
    late = rng.random(size) < DISORDERED
    event = came - np.where(late, rng.integers(1, DISORDER_MS + 1, size), 0)
    user = np.searchsorted(users, rng.random(size), side="right")
    page = np.searchsorted(pages, rng.random(size), side="right")
    ms = np.clip(rng.lognormal(5.0, 1.0, size), 1, 60_000).astype(np.int64)

    def text(numbers: np.ndarray) -> pa.Array:
        return pa.array(numbers).cast(pa.string())

    key = pc.binary_join_element_wise("u", text(user), "")
    value = pc.binary_join_element_wise(
        '{"user":"', key, '","page":"p', text(page), '","ms":', text(ms), ',"ts":', text(event), "}", ""
    )
    times = pa.array(came * 1000).cast(SCHEMA.field("timestamp").type)
    return pa.record_batch([key.cast(pa.binary()), value.cast(pa.binary()), times], schema=SCHEMA)


def batches(records: int) -> Iterator[pa.RecordBatch]:
    """The log of `records` records, in the order in which they came."""
    users, pages = zipf(USERS, USER_EXPONENT), zipf(PAGES, PAGE_EXPONENT)
    for index in range(-(-records // CHUNK)):
        yield batch(index, records, users, pages)
