"""A delivery sends what waits in the feed of an answer, publish by publish."""

from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

from jobs.answers.delivery import Delivery, Topic
from jobs.answers.result import Result
from jobs.lake import delta_tables
from jobs.log.kafka.transaction import TransactionalProducer
from jobs.publishing.feed import Feed
from jobs.publishing.to_archive import ToArchive
from jobs.publishing.to_kafka import ToKafka
from jobs.running.places import Places

__all__ = ["Delivery", "Sender", "send_waiting", "sender"]


class Sender(Protocol):
    """Sends the changes of one answer to one place."""

    def last_sent(self) -> int:
        """The ledger row of the last publish that the place is known to have; 0 if it does not tell."""

    def send(self, changes: pa.Table, sequence: int) -> None:
        """Send all changes of one publish, of that ledger row. Raises whatever keeps it from being sent."""


def sender(places: Places, result: Result, delivery: Delivery) -> Sender:
    """What sends this delivery. Raises Refused if the places file does not say where to."""
    [answer] = [each for each in result.event_answers if each.name == delivery.answer]
    table = result.answer_table(answer)
    if isinstance(delivery, Topic):
        key, topic = delivery.key or answer.key, delivery.topic
        feed_id, _ = delta_tables.identity(places.table(result.feed_table(answer.name)))
        if places.log == "archive":
            return ToArchive(places, topic, table, key, feed_id, answer.key)
        assert places.kafka
        producer = TransactionalProducer(places.kafka, topic, f"{table}:{topic}", f"{table}.delivered", feed_id)
        return ToKafka(producer, key, answer.key)
    raise NotImplementedError


def send_waiting(
    sender: Sender, places: Places, result: Result, delivery: Delivery, after: int, until: int
) -> Iterator[int]:
    """Send the publishes later than the ledger row `after` and up to `until` that the place does not have yet. Gives,
    again and again, the ledger row up to which all is there.
    """
    feed = Feed(places.table(result.feed_table(delivery.answer)))
    for sequence in feed.sequences(max(after, sender.last_sent()), until):
        sender.send(feed.changes(sequence), sequence)
        yield sequence
    yield until
