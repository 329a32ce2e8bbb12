"""A job that reads Kafka keeps the same tables as one that reads the archive, and says so to Kafka's own tools."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from pyspark.sql import SparkSession

from jobs import run
from jobs.answers.result import Result
from jobs.log.archive import writer
from jobs.log.kafka import producer
from tests import delta
from tests.cluster.broker import Broker
from tests.cluster.keeping import keep, make, named
from tests.cluster.same_tables import CLOCKS, check_same
from tests.jobs.keeping import readings
from tests.jobs.keeping.world import places_in

RECORDS = readings.log(seed=11, each=40)


@pytest.fixture
def both(broker: Broker, kafka_places: Path, tmp_path: Path, request: Any) -> Iterator[tuple[str, Any, Any]]:
    """A topic with the same records in both homes, in several portions."""
    kafka = run.places(kafka_places)
    other = places_in(tmp_path)
    topic = make(broker, f"parity-{request.node.callspec.id}")
    for portion in (RECORDS[:50], RECORDS[50:]):
        batch = readings.batch(portion)
        assert kafka.kafka
        producer.append(kafka.kafka, topic, 3, [batch])
        writer.append(other.archive, topic, 3, [batch])
    yield topic, kafka, other


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(readings.PANES, id="panes"),
        pytest.param(readings.SEEN, id="membership", marks=pytest.mark.long),
    ],
)
def test_the_same_records_in_both_homes_give_the_same_tables(
    spark: SparkSession, broker: Broker, both: Any, result: Result
) -> None:
    topic, kafka, other = both
    assert len(RECORDS) % 3 == 0
    mine = named(replace(result, max_records_per_batch=len(RECORDS) // 3), topic)
    for places in (kafka, other):
        row, _ = keep(spark, places, mine)
        rows = delta.rows(places.table(f"{mine.name}_ledger"))
        assert sum(row["kind"] == "batch" for row in rows) == 3, "no batch of a few is left over"
    assert row.records or row.kind == "publish"
    # How the log is cut into batches is the home's own choice; `sequence` and a filter's stream time tell of it.
    for ending in ("", "_quarantine", *(["_filters"] if mine.membership else [])):
        check_same(
            kafka.table(mine.name + ending),
            other.table(mine.name + ending),
            (*CLOCKS, "sequence", "topic", "stream_time"),
        )
    ends = {part: sum(r.partition == part for r in RECORDS) for part in range(3)}
    assert row.end_offsets == ends
    partitions = [TopicPartition(topic, part) for part in ends]
    asked = broker.admin().list_consumer_group_offsets([ConsumerGroupTopicPartitions(mine.name, partitions)])
    told = next(iter(asked.values())).result().topic_partitions
    assert {part.partition: part.offset for part in told} == ends
