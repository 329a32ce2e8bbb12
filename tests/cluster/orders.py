"""A service of orders, as docs/changes.md has it, and the accidents that it meets."""

import json
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from tests.cluster.broker import Broker
from tests.cluster.postgres import Postgres
from tests.pages import blocks, section

SECTION = section("docs/changes.md", "Why not write twice?")
[OUTBOX] = [content for _, language, content in blocks(SECTION) if language == "sql"]
[PROPERTIES] = [content for _, language, content in blocks(SECTION) if language == "properties"]


def settings() -> dict[str, str]:
    """Those of the connector, as the page has them."""
    pairs = [line.partition("=") for line in PROPERTIES.splitlines()]
    return {name.replace(".", "_"): value.strip() for name, _, value in pairs}


def services() -> dict[str, Callable[..., None]]:
    """The functions of the page, by name."""
    made: dict[str, Any] = {}
    for _, language, content in blocks(SECTION):
        if language == "python":
            exec(content, made)
    return made


def make_topic(broker: Broker) -> None:
    """The topic into which a service sends that writes twice."""
    [made] = broker.admin().create_topics([NewTopic("orders", 1, 1)]).values()
    made.result(60)


class Killed(BaseException):
    """The process ends here."""


class DyingProducer:
    """Of a service that is killed before it sends."""

    def produce(self, *_: Any, **__: Any) -> None:
        raise Killed


class LateProducer:
    """Of a service that loses the processor before it sends, until another has sent."""

    def __init__(self, producer: Producer, until: Event, is_here: Event) -> None:
        self._producer, self._until, self._is_here = producer, until, is_here

    def produce(self, topic: str, **record: Any) -> None:
        self._is_here.set()
        assert self._until.wait(60)
        self._producer.produce(topic, **record)


class DyingConnection:
    """Of a service that is killed before it has written into the outbox."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.transaction = connection.transaction

    def execute(self, statement: str, values: Any) -> None:
        if "outbox" in statement:
            raise Killed
        self._connection.execute(statement, values)


def overtake(first: Callable[[Any], None], second: Callable[[Any], None], producer: Producer) -> None:
    """The first service commits, the second commits and sends, and then the first sends."""
    has_sent, is_here = Event(), Event()
    thread = Thread(target=first, args=(LateProducer(producer, has_sent, is_here),))
    thread.start()
    assert is_here.wait(60)
    second(producer)
    has_sent.set()
    thread.join()


def last_status(broker: Broker, topic: str, records: int) -> dict[int, str]:
    """By order, the status in the last record of its key, of a topic of one partition that gets so many records."""
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "orders", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: dict[int, str] = {}
    until, read = time.monotonic() + 60, 0
    while read < records:
        assert time.monotonic() < until, found
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            row, read = json.loads(message.value()), read + 1
            found[row["id"]] = row["status"]
    consumer.close()
    return found


def in_database(postgres: Postgres) -> dict[int, str]:
    """By order, its status."""
    return dict(postgres.rows("SELECT id, status FROM orders"))
