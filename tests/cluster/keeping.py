"""Topics and results for the tests with a broker."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import ConfigResource, NewTopic, ResourceType
from pyspark.sql import DataFrame, SparkSession

from jobs import run
from jobs.answers.result import Result
from jobs.answers.windows import Tumbling
from jobs.facts.panes import Panes
from jobs.keeping import microbatch
from jobs.keeping.ledger import Row
from tests import delta
from tests.altered import altered
from tests.cluster.broker import Broker
from tests.jobs.keeping import readings
from tests.jobs.keeping.world import UntilTheEnd

AT_WORK = "after panes"
"""A step of a batch of COUNTED that is writing."""
START = datetime(2024, 5, 1, 8, tzinfo=UTC)


def by_site(events: DataFrame) -> DataFrame:
    return events.select("event_time", "site")


COUNTED = altered(
    readings.PANES, name="counted_v1", panes=Panes("1 hour", ("site",)), windows=(Tumbling("1 day"),), transform=by_site
)


def named(result: Result, topic: str) -> Result:
    """The same result on another topic."""
    there = {name: getattr(result.topic, name) for name in ("KEY", "EVENT_TIME", "COLUMNS")}
    return altered(result, topic=type("Schema", (), there | {"TOPIC": topic}))


def make(broker: Broker, topic: str, partitions: int = 3, **settings: str) -> str:
    """A topic that keeps records of years ago; settings with _ for the dots."""
    config = {"retention.ms": "-1"} | {name.replace("_", "."): value for name, value in settings.items()}
    new = NewTopic(topic, partitions, config=config)
    next(iter(broker.admin().create_topics([new]).values())).result()
    return topic


def make_anew(broker: Broker, topic: str, partitions: int) -> str:
    """The topic without the records that another test has left in it."""
    delete(broker, topic)
    return make(broker, topic, partitions)


def delete(broker: Broker, *topics: str) -> None:
    """Delete what there is of these topics."""
    for topic in topics:
        if exists(broker, topic):
            next(iter(broker.admin().delete_topics([topic]).values())).result()


def exists(broker: Broker, topic: str) -> bool:
    return topic in broker.admin().list_topics(timeout=30).topics


def consumed(broker: Broker, topic: str, partitions: int) -> list[Any]:
    """Every record, by partition and offset, read by Kafka's own client."""
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "test", "log_level": 0})
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in range(partitions)}
    consumer.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    found: list[Any] = []
    while len(found) < sum(ends.values()):
        found += consumer.consume(sum(ends.values()) - len(found), timeout=10)  # it waits for as many
    consumer.close()
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


def committed(servers: str, topic: str) -> list[Any]:
    """The records that a reader of committed ones gets, partition by partition."""
    options = {"bootstrap.servers": servers, "group.id": "look", "isolation.level": "read_committed"}
    consumer = Consumer(options | {"log_level": 0, "enable.partition.eof": True})
    found = []
    for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
        consumer.assign([TopicPartition(topic, partition, 0)])
        while (message := consumer.poll(10)) is not None and message.error() is None:
            found.append(message)
    consumer.close()
    return found


def settings(broker: Broker, topic: str) -> dict[str, str]:
    """What the broker says of the topic's settings."""
    [found] = broker.admin().describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in found.result().items()}


def keep(spark: SparkSession, places: run.Places, result: Result, **more: Any) -> tuple[Row, list[str]]:
    """Run to the end of the log: the ledger's last row, and what the run said."""
    said: list[str] = []
    row = microbatch.keep(run.Run(spark, places, say=said.append, **more), result)
    return row, said


def counted(topic: str) -> Any:
    return named(COUNTED, topic)


def send(broker: Broker, topic: str, partition: int, count: int, site: str = "a", **settings: Any) -> Producer:
    """`count` readings a minute apart, into one partition."""
    producer = Producer({"bootstrap.servers": broker.servers, "log_level": 0, **settings})
    if settings:
        producer.init_transactions(30)
        producer.begin_transaction()
    for minute in range(count):
        time = START + timedelta(minutes=minute)
        value = json.dumps({"taken_time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "site": site, "device": "d"})
        producer.produce(topic, value, b"d", partition, timestamp=int(time.timestamp() * 1000))
    producer.flush()
    return producer


def keep_running(spark: SparkSession, places: run.Places, topic: str, step: Callable[[str], None]) -> Row:
    """A continuous run to the end of the log."""
    job = UntilTheEnd(spark, places, continuous="100 milliseconds", step=step, say=lambda _: None)
    return microbatch.keep(job, counted(topic))


def counts(places: run.Places) -> dict[str, int]:
    return {row["site"]: row["records"] for row in delta.rows(places.table("counted_v1"))}
