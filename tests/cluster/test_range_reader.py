"""Ranges of a topic in Kafka, as Spark's own source reads them, and what the reader does when it cannot."""

import random
from collections.abc import Generator, Iterator
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer
from pyspark.sql import SparkSession

from jobs import run
from jobs.log import home
from jobs.log.kafka import range_reader
from jobs.log.kafka.range_reader import KafkaRanges
from jobs.log.offsets import Offsets
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from schemas import archive
from tests.cluster.broker import Broker
from tests.cluster.keeping import delete, make

NAMES = archive.COLUMNS.names
HEADERS: list[Any] = [None, [], [("a", b"\x00\xff"), ("b", None), ("a", b"")], [("Größe", b"1" * 300)]]


def send(broker: Broker, topic: str, count: int, seed: int, **options: str) -> Producer:
    """Records of all shapes in both partitions, some of them long; in a transaction, if `options` name one."""
    dice = random.Random(seed)
    producer = Producer({"bootstrap.servers": broker.servers, "compression.type": "zstd"} | options)
    if options:
        producer.init_transactions(30)
        producer.begin_transaction()
    for number in range(count):
        key = dice.choice([None, b"", b"key", bytes(range(256))])
        value = dice.choice([None, b"", b"x" * dice.choice([1, 20, 400_000]), f"{number}".encode()])
        producer.produce(
            topic,
            value,
            key,
            partition=number % 2,
            headers=dice.choice(HEADERS),
            timestamp=dice.choice([1, 1_700_000_000_123]),
        )
    producer.flush(30)
    return producer


@pytest.fixture
def kafka(kafka_places: Any) -> Iterator[Kafka]:
    access = run.places(kafka_places).kafka
    assert access
    yield access
    for reader in list(range_reader._consumers):
        reader.close()


def read(reader: KafkaRanges, starts: Offsets, ends: Offsets, names: list[str] = NAMES) -> list[dict[str, Any]]:
    blocks = list(reader.read(reader.plan(starts, ends), names))
    assert all(len(set(block["partition"].to_pylist())) == 1 for block in blocks)
    return [row for block in blocks for row in block.to_pylist()]


def by_spark(spark: SparkSession, places: run.Places, topic: str, starts: Offsets, ends: Offsets) -> Any:
    rows = home.read_range(spark, places, topic, starts, ends).select(*NAMES).toArrow()
    return rows.sort_by([("partition", "ascending"), ("offset", "ascending")]).to_pylist()


def test_any_ranges_are_what_sparks_source_reads_whatever_the_records_are(
    spark: SparkSession, broker: Broker, kafka_places: Any, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With headers, nulls, long records, aborted transactions, gaps at either end, and a transaction that is open."""
    topic = make(broker, "ranges", 2)
    send(broker, topic, 60, 1)
    send(broker, topic, 20, 2, **{"transactional.id": "ranges-1"}).abort_transaction()
    send(broker, topic, 30, 3, **{"transactional.id": "ranges-2"}).commit_transaction()
    still_open = send(broker, topic, 10, 4, **{"transactional.id": "ranges-3"})
    places, reader = run.places(kafka_places), KafkaRanges(kafka, topic, "ranges")
    ends = home.topic(places, topic).ends
    whole = by_spark(spark, places, topic, {0: 0, 1: 0}, ends)
    assert len(whole) == 90 and ends == {0: 57, 1: 57}
    assert read(reader, {}, ends) == whole
    dice = random.Random(5)
    for _ in range(20):
        cut = [sorted(dice.choices(range(58), k=2)) for _ in range(2)]
        starts, stops = ({partition: span[side] for partition, span in enumerate(cut)} for side in (0, 1))
        wanted = [row for row in whole if starts[row["partition"]] <= row["offset"] < stops[row["partition"]]]
        assert read(reader, starts, stops) == wanted
    monkeypatch.setattr(range_reader, "AT_ONCE", 7)
    some = read(reader, {}, ends, ["offset", "partition", "value"])
    assert some == [{name: row[name] for name in ("offset", "partition", "value")} for row in whole]
    still_open.abort_transaction()


def test_a_range_that_was_left_half_read_is_read_again_from_its_start(broker: Broker, kafka: Kafka) -> None:
    topic = make(broker, "half-read", 2)
    send(broker, topic, 100, 1)
    reader = KafkaRanges(kafka, topic, "half-read")
    ranges = reader.plan({}, {0: 50, 1: 50})
    half = reader.read(ranges, ["offset"])
    assert isinstance(half, Generator)
    next(half)
    half.close()
    assert [row["offset"] for row in read(reader, {}, {0: 50, 1: 50}, ["partition", "offset"])] == [*range(50)] * 2


def test_a_consumer_is_kept_for_the_next_ranges_until_it_is_closed(broker: Broker, kafka: Kafka) -> None:
    topic = make(broker, "kept", 2)
    send(broker, topic, 10, 1)
    reader, same = KafkaRanges(kafka, topic, "kept"), KafkaRanges(kafka, topic, "kept")
    read(reader, {}, {0: 5})
    (kept,) = range_reader._consumers.values()
    read(same, {}, {1: 5})  # as a task gets it, which is sent a copy
    assert list(range_reader._consumers.values()) == [kept]
    same.close()
    assert not range_reader._consumers


def test_records_that_are_gone_a_partition_that_ends_too_early_and_a_topic_that_is_gone_are_one_refusal(
    broker: Broker, kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_reader, "PATIENCE_SECONDS", 3)
    topic = make(broker, "gone", 2)
    send(broker, topic, 10, 1)
    reader = KafkaRanges(kafka, topic, "gone")
    lost = r"topic gone has lost records while they were read, or was deleted\. Run again"
    with pytest.raises(Refused, match=lost):
        read(reader, {}, {0: 9})
    with pytest.raises(Refused, match=lost):
        read(reader, {0: 20}, {0: 21})
    delete(broker, topic)
    with pytest.raises(Refused, match=lost):
        read(reader, {}, {0: 5})


def test_a_broker_that_is_away_is_a_refusal(broker: Broker, kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_reader, "PATIENCE_SECONDS", 2)
    nobody = kafka.model_copy(update={"servers": "127.0.0.1:9"})
    with pytest.raises(Refused, match=r"the broker 127\.0\.0\.1:9 does not answer") as failed:
        read(KafkaRanges(nobody, "any", "any"), {}, {0: 5})
    assert "\n" not in str(failed.value)


def test_a_block_is_bounded_by_bytes(broker: Broker, kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = make(broker, "bytes", 1)
    producer = Producer({"bootstrap.servers": broker.servers})
    for _ in range(60):
        producer.produce(topic, b"x" * 500_000)
        producer.poll(0)
    producer.flush(30)
    reader = KafkaRanges(kafka, topic, "bytes")
    monkeypatch.setattr(range_reader, "AT_ONCE", 5)
    blocks = list(reader.read(reader.plan({}, {0: 60}), ["offset", "value"]))
    assert pa.Table.from_batches(blocks)["offset"].to_pylist() == list(range(60))
    assert max(block.nbytes for block in blocks) < 16 * 2**20 + 5 * 500_100
