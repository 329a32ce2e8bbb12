"""A topic of Kafka gets each change of an answer once, whatever happens between its transaction and the ledger row."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from confluent_kafka import KafkaException
from pyspark.sql import SparkSession

from jobs import run
from jobs.answers.delivery import Topic
from jobs.answers.outcomes import Outcomes, Then
from jobs.keeping import microbatch
from jobs.log.kafka import producer
from jobs.log.kafka.transaction import TransactionalProducer
from jobs.running.errors import Refused
from tests import delta
from tests.cluster.broker import Broker
from tests.cluster.keeping import committed, make
from tests.jobs.keeping import readings, searches
from tests.jobs.keeping.world import GOOD, GrowingLog
from tests.jobs.steps import Stopped, stopping_at

CLICKED = Outcomes("searches", ("user",), (Then("clicks", "3 minutes"),), called=("clicked", "not_clicked", "late"))


def send(places: run.Places, visits: list[searches.Visit]) -> None:
    for topic in searches.COLUMNS:
        if some := [visit for visit in visits if visit.topic == topic]:
            assert places.kafka
            producer.append(places.kafka, topic, searches.PARTITIONS, [searches.batch(topic, some)])


def keep(spark: SparkSession, places: run.Places, step: Callable[[str], None]) -> None:
    result = searches.result("clicked_v1", CLICKED, deliver=(Topic("outcomes"),))
    microbatch.keep(run.Run(spark, places, step=step, say=lambda _: None), result)


def check(broker: Broker, places: run.Places) -> None:
    """Each change of the feed is there once, and the records lead to the rows of the table."""
    feed = delta.rows(places.table("clicked_v1_feed"))
    found = committed(broker.servers, "outcomes")
    sent = [(json.loads(one.key()), int(dict(one.headers())["sequence"])) for one in found]
    names = ("record_partition", "record_offset")
    due = [({name: row[name] for name in names}, row["sequence"]) for row in feed]
    assert sorted(sent, key=str) == sorted(due, key=str)
    latest = {one.key(): json.loads(one.value()) for one in found}
    rows = {tuple(row[name] for name in names): row for row in delta.rows(places.table("clicked_v1"))}
    told = {tuple(one[name] for name in names): (one["outcome"], one["revision"]) for one in latest.values()}
    assert told == {place: (row["outcome"], row["revision"]) for place, row in rows.items()}


def test_a_run_that_ends_between_transaction_and_ledger_row(
    spark: SparkSession, broker: Broker, kafka_places: Path
) -> None:
    places, written = run.places(kafka_places), searches.log(3, 120, searches.NOT_TOO_LATE)
    for topic in searches.COLUMNS:
        make(broker, topic, searches.PARTITIONS)
    for number, moment in enumerate(["before delivery", "after delivery", "after feed", "after delivery"]):
        send(places, written[number * 25 : (number + 1) * 25])
        with pytest.raises(Stopped):
            keep(spark, places, stopping_at(moment))
    send(places, written[100:])
    keep(spark, places, lambda _: None)
    check(broker, places)
    ledger = delta.rows(places.table("clicked_v1_ledger"))
    assert max(ledger, key=lambda row: row["sequence"])["kind"] == "deliver"
    keep(spark, places, lambda _: None)
    assert len(delta.rows(places.table("clicked_v1_ledger"))) == len(ledger)
    check(broker, places)


def test_rows_with_a_decision(spark: SparkSession, broker: Broker, kafka_places: Path) -> None:
    """Each is sent once, in the transaction of its batch."""
    log = GrowingLog(run.places(kafka_places))
    make(broker, readings.TOPIC.TOPIC, readings.PARTITIONS)
    result, third = replace(readings.SEEN, deliver=(Topic("seen"),)), len(GOOD) // 3
    for number, moment in enumerate(("before delivery", "after delivery")):
        log.write(GOOD[number * third : (number + 1) * third])
        with pytest.raises(Stopped):
            microbatch.keep(run.Run(spark, log.places, step=stopping_at(moment), say=lambda _: None), result)
    log.write(GOOD[2 * third :])
    microbatch.keep(run.Run(spark, log.places, say=lambda _: None), result)
    values = [json.loads(one.value()) for one in committed(broker.servers, "seen")]
    rows = delta.rows(log.places.table(result.name))
    names = ("record_partition", "record_offset", "seen_before", "sequence")
    due, found = (sorted(tuple(row[name] for name in names) for row in some) for some in (rows, values))
    assert found == due and len(found) == len(GOOD)


def record(value: bytes) -> pa.RecordBatch:
    columns = [pa.array([b"k"]), pa.array([value]), pa.array([0], pa.timestamp("us", "UTC"))]
    headers = pa.array([[]], pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())])))
    return pa.record_batch([*columns, headers], ["key", "value", "timestamp", "headers"])


def test_of_two_that_fill_a_topic_the_older_one_is_shut_out(broker: Broker, kafka_places: Path) -> None:
    """What it has sent in a transaction that it has not committed is nowhere."""
    kafka = run.places(kafka_places).kafka
    assert kafka
    make(broker, "shared", 1)
    older = TransactionalProducer(kafka, "shared", "id", "shared.delivered", "x")
    older.append(record(b"first"), 4)
    older._producer.begin_transaction()
    older._producer.produce("shared", b"never committed")
    older._producer.flush()
    newer = TransactionalProducer(kafka, "shared", "id", "shared.delivered", "x")
    assert newer.number() == 4
    newer.append(record(b"second"), 5)
    with pytest.raises(KafkaException):
        older._producer.commit_transaction(10)
    with pytest.raises(Refused, match="another run delivers the same answer"):
        older.append(record(b"third"), 6)
    assert [one.value() for one in committed(broker.servers, "shared")] == [b"first", b"second"]
    anew = TransactionalProducer(kafka, "shared", "id", "shared.delivered", "another feed")
    assert anew.number() == 0
