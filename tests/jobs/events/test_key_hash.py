"""Hashes of keys are Spark's own, so that filters fit whoever made them."""

import random

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from jobs.decisions import seen_before
from jobs.events.key_hash import key_hashes


def test_hashes_are_those_of_spark(spark: SparkSession) -> None:
    """XXH64 takes 32 bytes a time, then 8, then 4, then 1: all lengths, each with several keys."""
    dice = random.Random(7)
    keys = [None, *(dice.randbytes(length) for length in range(301) for _ in range(4)), bytes(8), b"\xff" * 40, None]
    frame = spark.createDataFrame([(number, key) for number, key in enumerate(keys)], "number int, record_key binary")
    rows = seen_before.with_key_hash(frame).collect()
    expected = {row.number: row[seen_before.HASH.name] for row in rows}
    found = key_hashes(pa.array(keys, pa.binary()))
    assert found.type == pa.int64()
    assert dict(enumerate(found.to_pylist())) == expected


@pytest.mark.parametrize(
    ("key", "hashed"),
    [(b"ABC", 4105715581806190027), (b"", -7444071767201028348)],  # the first is the example of Spark's documentation
)
def test_values_that_spark_documents(key: bytes, hashed: int) -> None:
    assert key_hashes(pa.array([key], pa.binary())).to_pylist() == [hashed]


def test_equal_keys_null_and_parts_of_an_array() -> None:
    keys = pa.array([b"x", None, b"ABC", b"", b"ABC", None, b"y"], pa.binary())
    abc, empty = 4105715581806190027, -7444071767201028348
    assert key_hashes(keys[1:6]).to_pylist() == [None, abc, empty, abc, None]
    assert key_hashes(keys[1:2]).to_pylist() == [None]
    assert key_hashes(keys[:0]) == pa.array([], pa.int64())
