"""The 64-bit hash of a record's key, without Spark: the same number as Spark's `xxhash64` of the binary key."""

from itertools import repeat

import numpy as np
import pyarrow as pa
from xxhash import xxh64_intdigest

_SEED = 42
"""Spark's own."""


def key_hashes(keys: pa.Array) -> pa.Array:
    """The hashes, int64, of binary keys: XXH64 with Spark's seed; null where there is no key.

    They are those of `seen_before.with_key_hash`, so they fit filters that were made with those. Each different key is
    hashed once.
    """
    encoded = keys.dictionary_encode()
    different = encoded.dictionary.to_pylist()
    hashes = np.fromiter(map(xxh64_intdigest, different, repeat(_SEED)), np.uint64, len(different))
    return pa.Array.from_buffers(pa.int64(), len(hashes), [None, pa.py_buffer(hashes)]).take(encoded.indices)
