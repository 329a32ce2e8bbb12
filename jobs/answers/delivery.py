"""Where the changes of an answer are delivered: to a topic, a webhook or files. Values of a job file; what sends is in
jobs/publishing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql.types import DataType, LongType, StringType, StructField, StructType

from jobs.running.errors import Mistake

FEED = "feed"
"""Of the table NAME_feed, which holds every change of an answer."""
CHANGE = "change"
"""Column of a feed: NEW, REVISED or WITHDRAWN."""
ADDED = ("revision", "updated_time", CHANGE)
"""Columns that a decided row gets when it is delivered."""


@dataclass(frozen=True)
class Topic:
    """Each change is a record of a topic of the log, exactly once: in the archive, or in Kafka."""

    topic: str
    """The topic, which the result does not read."""
    key: tuple[str, ...] | None = None
    """Columns of the records' key; None: those that tell a row from another, so that the topic may be compacted."""
    answer: str = ""
    """The name of the answer; "": the one in the table that has the result's name."""

    @property
    def label(self) -> str:
        """Its name in the ledger."""
        return _label("topic", self.topic, self.answer)


@dataclass(frozen=True)
class Webhook:
    """Each change is a message to an HTTP server, at least once, with an id."""

    name: str
    """Of the table [deliveries.NAME] in the places file, which says the `url`."""
    answer: str = ""
    """As in Topic."""

    @property
    def label(self) -> str:
        """Its name in the ledger."""
        return _label("webhook", self.name, self.answer)


@dataclass(frozen=True)
class File:
    """The changes of each publish are a file of NDJSON, each change with an id."""

    name: str
    """Of the table [deliveries.NAME] in the places file, which says the `path` of the folder."""
    answer: str = ""
    """As in Topic."""

    @property
    def label(self) -> str:
        """Its name in the ledger."""
        return _label("file", self.name, self.answer)


Delivery = Topic | Webhook | File


def _label(kind: str, name: str, answer: str) -> str:
    return f"{kind}:{name}:{answer}" if answer else f"{kind}:{name}"


def delivery_topic(label: str) -> str | None:
    """The topic that this label of a delivery names; None if it names something else."""
    kind, _, rest = label.partition(":")
    return rest.partition(":")[0] if kind == "topic" else None


def check(name: str, deliver: Sequence[Delivery], topics: Sequence[str], answers: Sequence[str]) -> None:
    """Raises Mistake if a result cannot deliver so. `topics`: those that it reads; `answers`: the names of its own."""
    if not isinstance(deliver, tuple):
        raise Mistake(f'{name}: deliver takes several deliveries: deliver=(Topic("outcomes"),) with a comma')
    if deliver and not answers:
        raise Mistake(f"{name}: delivers what is published, and it publishes nothing. Leave deliver out")
    labels = [delivery.label for delivery in deliver]
    for delivery in deliver:
        if labels.count(delivery.label) > 1:
            raise Mistake(f"{name}: delivers {delivery.label} twice. Say it once")
        if delivery.answer not in answers:
            there = ", ".join(f'"{answer}"' for answer in answers)
            raise Mistake(
                f'{name}: {delivery.label} delivers the answer "{delivery.answer}", and its answers are called '
                f'{there}: {type(delivery).__name__}(..., answer="...")'
            )
        if isinstance(delivery, Topic):
            _check_topic(name, delivery.topic, topics)
    clash = sorted({answer.lower() for answer in answers} & {f"{answer}_{FEED}".lower() for answer in answers})
    if deliver and clash:
        raise Mistake(f"{name}: the answer {clash[0]} has the name of another one's feed: take another name")


def _check_topic(name: str, topic: str, read: Sequence[str]) -> None:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", topic):
        raise Mistake(f"{name}: Topic({topic!r}) takes letters, digits, dots, - and _, as a topic of Kafka does")
    if topic in read:
        raise Mistake(
            f"{name}: delivers to topic {topic}, which it reads: it would read its own answers. Deliver to another one"
        )


def check_decided(name: str, deliver: Sequence[Delivery], rows: StructType) -> None:
    """Raises Mistake if decided rows with these columns cannot be delivered so."""
    if deliver:
        _check_free(name, ADDED, rows)
        _check_keys(name, deliver, "", rows)


def feed_columns(name: str, deliver: Sequence[Delivery], answer: str, rows: StructType) -> StructType:
    """The columns of the feed of an answer whose table has the columns `rows`. Raises Mistake if that cannot be."""
    _check_free(name, (CHANGE, "sequence"), rows)
    _check_keys(name, deliver, answer, rows)
    return StructType(
        [
            *rows.fields,
            _column(CHANGE, StringType(), "new, revised or withdrawn: then the row is no more."),
            _column("sequence", LongType(), "Ledger row of the publish that changed it."),
        ]
    )


def _check_free(name: str, own: Sequence[str], rows: StructType) -> None:
    for taken in own:
        if taken in (column.lower() for column in rows.names):
            raise Mistake(f"{name}: what it delivers has a column {taken} of its own: rename {taken} in the transform")


def _check_keys(name: str, deliver: Sequence[Delivery], answer: str, rows: StructType) -> None:
    for delivery in deliver:
        wanted = delivery.key if isinstance(delivery, Topic) and delivery.answer == answer else None
        missing = [column for column in wanted or () if column not in rows.names]
        if wanted == () or missing:
            what = f"no column {missing[0]}" if missing else "no column in its key"
            raise Mistake(f"{name}: {delivery.label} has {what}; the columns are {', '.join(rows.names)}")


def _column(name: str, kind: DataType, comment: str) -> StructField:
    return StructField(name, kind, True, {"comment": comment})
