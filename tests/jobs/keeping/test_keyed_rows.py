"""The latest rows of a topic of rows are those that a dictionary has, also when the topic is compacted."""

import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs.admin import readers
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.answers.versions import Versions
from jobs.events.changes.keyed_rows import ROWS
from jobs.keeping import log_position
from jobs.keeping.ledger import Position
from jobs.log.archive import compaction, writer
from jobs.log.archive.snapshot import Snapshot
from jobs.running.errors import Mistake, Refused
from tests.jobs.keeping.customers import columns
from tests.jobs.keeping.world import World

PROFILES = SimpleNamespace(
    TOPIC="profiles",
    COMPACTED=True,
    COLUMNS=StructType([StructField("id", LongType(), False), StructField("name", StringType())]),
)
LATEST = Latest(key=("id",))
READS = Reads(PROFILES, columns, form=ROWS)
RESULT = Result("profiles_v1", READS, LATEST)


def found(world: World) -> dict[int, str]:
    assert world.rows("_quarantine") == []
    return {row["id"]: row["name"] for row in world.rows()}


def test_rows_and_tombstones_in_the_order_of_offsets(spark: SparkSession, tmp_path: Path) -> None:
    dice, expected = random.Random(8), dict[int, str]()
    world = World(spark, tmp_path, RESULT)
    for _ in range(2):
        keys, values = list[bytes](), list[bytes | None]()
        for number in range(60):
            key = dice.randint(1, 12)
            keys.append(b'{"id": %d}' % key if key % 2 else b"%d" % key)
            if dice.random() < 0.3:
                expected.pop(key, None)
                values.append(None)
            else:
                expected[key] = f"name {number}"
                values.append(json.dumps({"id": key, "name": expected[key]}).encode())
        times = pa.array([1_714_500_000_000_000] * len(keys), pa.timestamp("us", "UTC"))
        records = {"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary()), "timestamp": times}
        writer.append(world.places.archive, "profiles", 2, [pa.record_batch(records)])
        world.keep(25)
        assert found(world) == expected
    log = Snapshot(world.places.archive, "profiles").refresh()
    [reader] = readers.find(world.places, "profiles", log.is_copy_of)
    assert not reader.counts_every_record
    parts = compaction.plan(world.places.archive, "profiles", log.ends, 1_800_000_000_000, 86_400_000)
    compaction.compact(world.places.archive, "profiles", log.firsts(), parts, 1_800_000_000_000)
    assert sum(part.superseded for part in parts) > 80
    again = World(spark, tmp_path, replace(RESULT, name="profiles_v2"))
    again.keep()
    assert found(again) == expected


def test_a_partition_that_is_added_would_lose_the_order() -> None:
    read = Position("", {0: 5, 1: 4}, {0: 9, 1: 4})
    log_position.check_partitions(RESULT, "profiles", read)
    log_position.check_partitions(RESULT, "profiles", Position("", {}, {0: 9, 1: 4}))
    with pytest.raises(Refused, match="topic profiles has got partitions 2, and its records are rows in the order of"):
        log_position.check_partitions(RESULT, "profiles", replace(read, end_offsets={0: 9, 1: 4, 2: 1}))


def test_versions_need_the_whole_topic() -> None:
    with pytest.raises(Mistake, match="topic profiles is compacted"):
        Result("profiles_v1", READS, (LATEST, Versions(key=("id",)).named("history")))
