"""Which partition a key belongs to: the choice of Kafka's default partitioner, so either home of the log agrees.

The hash is murmur2 as in org.apache.kafka.common.utils.Utils (seed 0x9747b28c): of the bytes of a key, 32 bits, signed.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.int32]
Partitions = npt.NDArray[np.int64]

_M = np.uint32(0x5BD1E995)
_SEED = 0x9747B28C


def murmur2(keys: pa.BinaryArray) -> Hashes:
    """Hash each key; keys of one length are hashed together, a word at a time. The keys hold no null."""
    hashes = np.empty(len(keys), np.uint32)
    if len(keys) == 0:
        return hashes.view(np.int32)
    ends = np.frombuffer(keys.buffers()[1], np.int32)[keys.offset : keys.offset + len(keys) + 1]
    lengths = np.diff(ends)
    data = np.frombuffer(keys.buffers()[2] or b"", np.uint8)
    for length in np.unique(lengths):
        of_length = np.flatnonzero(lengths == length)
        hashes[of_length] = _equally_long(data[ends[of_length][:, None] + np.arange(length)])
    return hashes.view(np.int32)


def _equally_long(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Hash rows of bytes: one row a key. Unsigned arithmetic wraps at 32 bits, as Java's does."""
    count, length = rows.shape
    whole = length // 4 * 4
    hashed = np.full(count, (_SEED ^ length) & 0xFFFFFFFF, np.uint32)
    for word in np.ascontiguousarray(rows[:, :whole]).view("<u4").T:
        mixed = word * _M
        mixed = (mixed ^ (mixed >> np.uint32(24))) * _M
        hashed = hashed * _M ^ mixed
    if whole < length:
        for place in range(length - whole):
            hashed ^= rows[:, whole + place].astype(np.uint32) << np.uint32(8 * place)
        hashed *= _M
    hashed = (hashed ^ (hashed >> np.uint32(13))) * _M
    return hashed ^ (hashed >> np.uint32(15))


def partitions_of(keys: pa.BinaryArray, partitions: int, keyless_before: int) -> Partitions:
    """Partition of each key, 0 to `partitions` - 1; each distinct key is hashed once.

    Records without a key go round the partitions in the order of the input: the n-th of them (counted from 0, of which
    `keyless_before` came earlier) goes to partition n modulo `partitions`.
    """
    encoded = keys.dictionary_encode()
    distinct: Partitions = ((murmur2(encoded.dictionary) & 0x7FFFFFFF) % partitions).astype(np.int64)
    if keys.null_count == 0:
        of_keys: Partitions = distinct[encoded.indices.to_numpy()]
        return of_keys
    chosen: Partitions = np.empty(len(keys), np.int64)
    keyless = keys.is_null().to_numpy(zero_copy_only=False)
    chosen[keyless] = (keyless_before + np.arange(keys.null_count)) % partitions
    chosen[~keyless] = distinct[encoded.indices.drop_null().to_numpy()]
    return chosen
