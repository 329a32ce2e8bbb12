"""What an earlier version has read from Kafka goes on there: a broker is started on the files that it left."""

import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from pyspark.sql import SparkSession

from jobs import run
from jobs.keeping import ledger, microbatch
from jobs.log import kafka_to_archive
from jobs.log.audit import audit
from jobs.log.kafka import producer
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from tests import delta_log
from tests.cluster import keeping
from tests.cluster.broker import Broker
from tests.versions import carried, earlier_homes
from tests.versions.earlier_homes import ALL, CARRIED, PARTITIONS, READ

MORE = 60
"""Records in all, when more have come."""


@pytest.fixture(scope="module", params=["0.2.0"])
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Path]]:
    """The broker with the topic of the earlier version, and the folder of its archive and its tables."""
    folder = tmp_path_factory.mktemp("earlier")
    for name in ("homes", "broker"):
        with tarfile.open(carried.HERE / f"{request.param}-{name}.tar.gz") as packed:
            packed.extractall(folder, filter="data")
    broker = Broker(folder / "running")
    shutil.rmtree(broker.folder / "log")
    shutil.move(folder / "broker", broker.folder / "log")
    yield broker.start(), folder
    broker.stop()


def test_a_result_and_a_copy_go_on_in_kafka_until_the_topic_is_another(
    spark: SparkSession, left: tuple[Broker, Path]
) -> None:
    broker, folder = left
    kafka = Kafka(servers=broker.servers)
    there: dict[str, Any] = {name: f"{folder}/{name}" for name in ("archive", "tables", "checkpoints")}
    places = run.Places(log="kafka", kafka=kafka, **there)
    job = run.Run(spark, places, topics=("readings",), say=lambda _: None)
    before = ledger.last(places, CARRIED.name)
    assert before and carried.published(places) == carried.expected(READ)

    for after in (ALL, MORE):
        if after == MORE:
            producer.append(kafka, "readings", None, [earlier_homes.batch_of_readings(ALL, MORE)])
        microbatch.keep(job, CARRIED)
        assert carried.published(places) == carried.expected(after)
    [deleted] = broker.admin().delete_records([TopicPartition("readings", 0, 38)]).values()
    assert deleted.result().low_watermark == 38
    kafka_to_archive.copy_topics(replace(job, accept_loss=True))
    found = audit(places, "readings")
    assert all(part.whole for part in found) and found[0].explained["lost, and accepted"] == 2
    assert sum(part.records for part in found) == MORE - 2 - sum(earlier_homes.RETAINED.values())
    assert any(marks.get("lost:readings:0:36") == 38 for marks in delta_log.transactions(Path(places.archive)))

    last = ledger.last(places, CARRIED.name)
    assert last and (last.log_home, last.topic_id) == ("kafka", before.topic_id)
    parts = [TopicPartition("readings", part) for part in range(PARTITIONS)]
    asked = broker.admin().list_consumer_group_offsets([ConsumerGroupTopicPartitions("carried_v1", parts)])
    shown = next(iter(asked.values())).result().topic_partitions
    assert {part.partition: part.offset for part in shown} == last.end_offsets

    keeping.make_anew(broker, "readings", PARTITIONS)
    producer.append(kafka, "readings", None, [earlier_homes.batch_of_readings(0, MORE)])
    with pytest.raises(Refused, match="is not the one that carried_v1 has read: it was deleted and made again"):
        microbatch.keep(job, CARRIED)
    with pytest.raises(Refused, match="has records of another topic readings"):
        kafka_to_archive.copy_topics(job)
    assert ledger.last(places, CARRIED.name) == last
