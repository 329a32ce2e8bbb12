"""What a schema file says of a topic, and whether it can be so: asked before anything is made."""

import re
from collections import Counter
from typing import Any, Protocol

from pyspark.sql.types import CharType, DataType, StringType, StructType, TimestampNTZType, VarcharType

from jobs.running.errors import Mistake

RECORD = ("record_partition", "record_offset", "record_timestamp", "record_key")
"""Columns that say where an event stands in the log; they stand beside the topic's own."""
EVENT_TIME = "event_time"
"""The column with an event's time, whatever the topic calls it."""
PRIVATE = "__"
"""Columns that begin so are the engine's own."""


class TopicSchema(Protocol):
    """A schema file of a topic, for example schemas/departure.py.

    It may say more:
    COMPACTED = True: only the last record of a key counts, and `headrace compact` may remove the others.
    EVENT_TIME_UNIT, MAX_AHEAD, ZONE: see jobs/events/event_time.py.
    """

    TOPIC: str
    KEY: str | None
    EVENT_TIME: str
    """A column of COLUMNS; or the way to a field inside of one, with dots: "meta.at"."""
    COLUMNS: StructType


def check(topic: Any) -> None:
    """Raises Mistake if the schema file leaves something out, or names a column in a way that cannot be."""
    for said, kind in (("TOPIC", str), ("KEY", str | None), ("EVENT_TIME", str), ("COLUMNS", StructType)):
        if not hasattr(topic, said):
            remedy = "KEY = None if records have no key" if said == "KEY" else f"say {said} = ..."
            raise Mistake(f"{called(topic)} does not say {said}: {remedy}")
        if not isinstance(getattr(topic, said), kind):
            wanted = "a text" if kind is str else "a text or None" if said == "KEY" else "a StructType of pyspark"
            raise Mistake(f"{called(topic)}: {said} is no {wanted.removeprefix('a ')}")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", topic.TOPIC):
        raise Mistake(f"{called(topic)}: TOPIC takes letters, digits, dots, - and _, as a topic of Kafka does")
    _check_names(topic)
    for field in topic.COLUMNS:
        _check_type(topic, field.name, field.dataType)


def called(topic: Any) -> str:
    """The schema file, as an author knows it."""
    name = getattr(topic, "__name__", "")
    return f"{name.replace('.', '/')}.py" if "." in name else f"the schema of topic {getattr(topic, 'TOPIC', '?')}"


def _check_names(topic: Any) -> None:
    names = topic.COLUMNS.fieldNames()
    if not names or not all(names):
        raise Mistake(f"{called(topic)}: COLUMNS has {'a column without a name' if names else 'no column'}")
    for lowered, times in Counter(name.lower() for name in names).items():
        if times > 1:
            alike = ", ".join(name for name in names if name.lower() == lowered)
            raise Mistake(
                f"{called(topic)}: the columns {alike} have one name for Spark, to which capital and small letters are "
                "the same. Leave out all but one"
            )
    for name in names:
        own = name.lower() == EVENT_TIME and name != topic.EVENT_TIME
        if own or name.lower() in RECORD or name.startswith(PRIVATE):
            raise Mistake(
                f"{called(topic)}: column {name} cannot have this name: {EVENT_TIME}, {', '.join(RECORD)} and names "
                f"that begin with {PRIVATE} are headrace's own. Leave the column out, or have its producer rename it"
            )


def _check_type(topic: Any, name: str, kind: DataType) -> None:
    """Texts are equal if their bytes are: types that pad them, or compare them otherwise, are not taken."""
    if isinstance(kind, (CharType, VarcharType)) or (isinstance(kind, StringType) and not _is_plain(kind)):
        raise Mistake(f"{called(topic)}: column {name} is {kind.simpleString()}; texts are StringType() without more")
    if isinstance(kind, TimestampNTZType):
        raise Mistake(
            f"{called(topic)}: column {name} is {kind.simpleString()}; take TimestampType(), and ZONE = ... for times "
            "that are written without a zone"
        )


def _is_plain(kind: StringType) -> bool:
    return kind == StringType()


def quoted(*path: str) -> str:
    """A column, or a field inside of one, as Spark takes it whatever characters are in its name."""
    return ".".join(f"`{name.replace('`', '``')}`" for name in path)
