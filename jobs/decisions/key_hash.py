"""stub until merged"""

import pyarrow as pa
import xxhash


def key_hashes(keys):
    d = keys.dictionary_encode()
    h = [xxhash.xxh64_intdigest(k, 42) for k in d.dictionary.to_pylist()]
    return pa.array([x - 2**64 if x >= 2**63 else x for x in h], pa.int64()).take(d.indices)
