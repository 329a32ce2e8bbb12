"""A delivery sends what waits in the feed of an answer, publish by publish, or of decided rows, batch by batch."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from jobs.answers import table_names
from jobs.answers.delivery import Delivery, File, Topic, Webhook
from jobs.answers.result import Result
from jobs.lake import delta_tables
from jobs.log.kafka.transaction import TransactionalProducer
from jobs.publishing.decided_rows import DecidedRows
from jobs.publishing.feed import Feed
from jobs.publishing.to_archive import ToArchive
from jobs.publishing.to_file import ToFile
from jobs.publishing.to_kafka import ToKafka
from jobs.publishing.to_webhook import ToWebhook
from jobs.running.delivery_access import DeliveryPlace
from jobs.running.errors import Refused
from jobs.running.places import Places

__all__ = ["Delivery", "Sender", "find_place", "send_waiting", "sender"]


class Sender(Protocol):
    """Sends the changes of one answer to one place."""

    def last_sent(self) -> int:
        """The ledger row of the last publish that the place is known to have; 0 if it does not tell."""

    def send(self, changes: pa.Table, sequence: int) -> None:
        """Send all changes of one publish, of that ledger row. Raises whatever keeps it from being sent."""


def sender(places: Places, result: Result, delivery: Delivery) -> Sender:
    """What sends this delivery. Raises Refused if the places file does not say where to."""
    key = result.delivery_keys[delivery.answer]
    table = table_names.part(result.name, delivery.answer)
    if isinstance(delivery, Topic):
        feed_id, _ = delta_tables.identity(places.table(result.changes_table(delivery.answer)))
        return _to_topic(places, delivery, table, feed_id, key)
    place = find_place(places, delivery)
    if place.path is not None:
        return ToFile(place.path, table, key)
    return ToWebhook(delivery.name, place, table, key)


def find_place(places: Places, delivery: Webhook | File) -> DeliveryPlace:
    """What the places file says of it. Raises Refused if that is nothing."""
    wanted = "url" if isinstance(delivery, Webhook) else "path"
    place = places.deliveries.get(delivery.name)
    if place is None or getattr(place, wanted) is None:
        raise Refused(
            f"the places file does not say where {type(delivery).__name__}({delivery.name!r}) is: it needs a table "
            f"[deliveries.{delivery.name}] with {wanted} = ..."
        )
    return place


def _to_topic(places: Places, delivery: Topic, table: str, feed_id: str, rows_key: Sequence[str]) -> Sender:
    key, topic = delivery.key or rows_key, delivery.topic
    if places.log == "archive":
        return ToArchive(places, topic, table, key, feed_id, rows_key)
    assert places.kafka
    producer = TransactionalProducer(places.kafka, topic, f"{table}:{topic}", f"{table}.delivered", feed_id)
    return ToKafka(producer, key, rows_key)


def _changes_of(places: Places, result: Result, answer: str) -> Feed | DecidedRows:
    """The changes of an answer, or the rows of a decision."""
    path = places.table(result.changes_table(answer))
    return DecidedRows(path, places.table(result.table("ledger"))) if result.has_decided_rows else Feed(path)


def send_waiting(
    sender: Sender, places: Places, result: Result, delivery: Delivery, after: int, until: int
) -> Iterator[int]:
    """Send the publishes later than the ledger row `after` and up to `until` that the place does not have yet. Gives,
    again and again, the ledger row up to which all is there.
    """
    feed = _changes_of(places, result, delivery.answer)
    for sequence in feed.sequences(max(after, sender.last_sent()), until):
        sender.send(feed.changes(sequence), sequence)
        yield sequence
    yield until
