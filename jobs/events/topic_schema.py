"""What a schema file declares about a topic, and its check, which comes before anything is written."""

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from pyspark.sql.types import CharType, DataType, StringType, StructType, TimestampNTZType, VarcharType

from jobs.running.errors import Mistake

RECORD = ("record_partition", "record_offset", "record_timestamp", "record_key")
"""Columns that tell the place of an event in the log, beside the topic's own columns."""
EVENT_TIME = "event_time"
"""The column with an event's time, whatever the topic calls it."""
PRIVATE = "__"
"""Columns whose names begin with it are the engine's own."""


class TopicSchema(Protocol):
    """A schema file of a topic, for example schemas/departure.py.

    Optional names in it:
    COMPACTED = True: only the last record of a key counts, and `headrace compact` may remove the others.
    EVENT_TIME_UNIT, MAX_AHEAD, ZONE: see jobs/events/event_time.py.
    """

    TOPIC: str
    KEY: str | None
    EVENT_TIME: str | None
    """A column of COLUMNS; or the way to a field inside of one, with dots: "meta.at". None: the record's own
    timestamp."""
    COLUMNS: StructType


def check(topic: Any) -> None:
    """Raises Mistake if the schema file lacks a name that it needs, or declares a column that no table can have."""
    for name, kind in (("TOPIC", str), ("KEY", str | None), ("EVENT_TIME", str | None), ("COLUMNS", StructType)):
        if not hasattr(topic, name):
            remedies = {"KEY": "KEY = None if records have no key"}
            remedies["EVENT_TIME"] = "say EVENT_TIME = ..., None for the record's own timestamp"
            raise Mistake(f"{file_name(topic)} does not say {name}: {remedies.get(name, f'say {name} = ...')}")
        if not isinstance(getattr(topic, name), kind):
            wanted = "text" if kind is str else "StructType of pyspark" if kind is StructType else "text or None"
            raise Mistake(f"{location(topic, name)}: {name} is no {wanted}")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", topic.TOPIC):
        raise Mistake(f"{file_name(topic)}: TOPIC takes letters, digits, dots, - and _, as a topic of Kafka does")
    _check_names(topic)
    for field in topic.COLUMNS:
        _check_type(topic, field.name, field.dataType)


def file_name(topic: Any) -> str:
    """The schema file as messages name it, such as schemas/departure.py."""
    name = getattr(topic, "__name__", "")
    return f"{name.replace('.', '/')}.py" if "." in name else f"the schema of topic {getattr(topic, 'TOPIC', '?')}"


def location(topic: Any, name: str) -> str:
    """The schema file as messages name it, with the line that says `name`, if one does: schemas/trip.py, line 9."""
    file = getattr(topic, "__file__", None)
    try:
        tree = ast.parse(Path(file).read_bytes()) if file else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):  # in a zip, or changed since
        return file_name(topic)
    shown = str(file) if file and "." not in getattr(topic, "__name__", "") else file_name(topic)
    for node in reversed(tree.body):  # the last one counts
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == name for target in _targets(targets)):
            return f"{shown}, line {node.lineno}"
    return shown


def _targets(nodes: Sequence[ast.expr]) -> Iterator[ast.AST]:
    for node in nodes:
        yield from ast.walk(node)


def _check_names(topic: Any) -> None:
    names = topic.COLUMNS.fieldNames()
    if not names or not all(names):
        raise Mistake(f"{file_name(topic)}: COLUMNS has {'a column without a name' if names else 'no column'}")
    for lowered, times in Counter(name.lower() for name in names).items():
        if times > 1:
            alike = ", ".join(name for name in names if name.lower() == lowered)
            raise Mistake(
                f"{file_name(topic)}: the columns {alike} have one name for Spark, to which capital and small letters "
                "are the same. Leave out all but one"
            )
    for name in names:
        takes_event_time = name.lower() == EVENT_TIME and name != topic.EVENT_TIME
        if takes_event_time or name.lower() in RECORD or name.startswith(PRIVATE):
            raise Mistake(
                f"{file_name(topic)}: column {name} cannot have this name: {EVENT_TIME}, {', '.join(RECORD)} and "
                f"names that begin with {PRIVATE} are headrace's own. Leave the column out, or have its producer "
                "rename it"
            )


def _check_type(topic: Any, name: str, kind: DataType) -> None:
    """Raises Mistake for types of text that pad or fold case: texts are equal if their bytes are."""
    if isinstance(kind, (CharType, VarcharType)) or (isinstance(kind, StringType) and not _is_plain(kind)):
        raise Mistake(
            f"{file_name(topic)}: column {name} is {kind.simpleString()}; texts are StringType() without more"
        )
    if isinstance(kind, TimestampNTZType):
        raise Mistake(
            f"{file_name(topic)}: column {name} is {kind.simpleString()}; take TimestampType(), and ZONE = ... for "
            "times that are written without a zone"
        )


def _is_plain(kind: StringType) -> bool:
    return kind == StringType()


def quote(*path: str) -> str:
    """A column, or a field inside one, in the back quotes that let Spark take any character in a name."""
    return ".".join(f"`{name.replace('`', '``')}`" for name in path)
