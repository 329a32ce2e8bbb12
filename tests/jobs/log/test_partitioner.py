"""The hash and the choice of partition, against Kafka's own golden values and a word-by-word reading of its code."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.log.partitioner import murmur2, partitions_of

GOLDEN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""From Kafka's UtilsTest."""


def one_by_one(data: bytes) -> int:
    """org.apache.kafka.common.utils.Utils.murmur2, statement by statement."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    for at in range(0, len(data) // 4 * 4, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    rest = data[len(data) // 4 * 4 :]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    h ^= h >> 15
    return h - 2**32 if h >= 2**31 else h


@pytest.mark.parametrize(("key", "hashed"), GOLDEN.items())
def test_kafkas_golden_values(key: bytes, hashed: int) -> None:
    assert murmur2(pa.array([key], pa.binary())).tolist() == [hashed]


@given(st.lists(st.binary(max_size=40)), st.integers(0, 3))
def test_many_keys_hash_as_one_by_one(keys: list[bytes], skipped: int) -> None:
    array = pa.array(keys, pa.binary()).slice(skipped)
    assert murmur2(array).tolist() == [one_by_one(key) for key in keys[skipped:]]


@given(st.lists(st.none() | st.binary(max_size=5)), st.integers(1, 9), st.integers(0, 20))
def test_partition_of_each_key(keys: list[bytes | None], partitions: int, before: int) -> None:
    expected, keyless = [], before
    for key in keys:
        expected.append(keyless % partitions if key is None else (one_by_one(key) & 0x7FFFFFFF) % partitions)
        keyless += key is None
    assert partitions_of(pa.array(keys, pa.binary()), partitions, before).tolist() == expected
