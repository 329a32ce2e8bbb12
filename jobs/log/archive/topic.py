"""A topic of the archive as its producer sees it: its name, its number of partitions, their next offsets."""

import contextlib
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from jobs.running.errors import Refused
from schemas.archive import COLUMNS, PARTITIONED_BY

DEFAULT_PARTITIONS = 4
KEPT = "kept:{topic}"
"""Mark of a topic that jobs/kafka_archive.py keeps."""
TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@dataclass(frozen=True)
class Known:
    """What the table says of a topic: its number of partitions, 0 if there is none, and their next offsets."""

    partitions: int
    ends: dict[int, int]
    paths: set[str]
    kept: bool = False
    """Whether it is a copy of a topic in Kafka."""


def check_topic(topic: str) -> None:
    """Refuse what is not a name of a Kafka topic; such a name is also a safe name of a folder."""
    if not TOPIC_NAME.fullmatch(topic) or topic in (".", ".."):
        raise Refused("a topic's name has 1 to 249 of the characters a-z A-Z 0-9 . _ - and is not . or ..")


def opened(path: str) -> DeltaTable | None:
    """The table, or None if there is none. Raises DeltaError, OSError."""
    try:
        return DeltaTable(path)
    except TableNotFoundError:
        return None


def created(path: str) -> DeltaTable:
    """The table, made if it is not there. Raises DeltaError, OSError."""
    schema = Schema.from_json(COLUMNS.json())
    with contextlib.suppress(CommitFailedError):  # another producer has just created it
        DeltaTable.create(path, schema, mode="ignore", partition_by=list(PARTITIONED_BY))
    return DeltaTable(path)


def known(table: DeltaTable | None, topic: str) -> Known:
    """From the marks, and from the files for a topic that was not written by `append`."""
    if table is None:
        return Known(0, {}, set())
    actions = pa.table(table.get_add_actions(flatten=True))
    rows = actions.filter(pc.equal(actions["partition.topic"], topic)).to_pylist() if len(actions) else []
    marked = table.transaction_version(f"partitions:{topic}")
    count = marked or max((row["partition.partition"] + 1 for row in rows), default=0)
    ends = {p: table.transaction_version(f"end:{topic}:{p}") or 0 for p in range(count)}
    for row in rows:
        ends[row["partition.partition"]] = max(ends.get(row["partition.partition"], 0), row["max.offset"] + 1)
    kept = table.transaction_version(KEPT.format(topic=topic)) is not None
    return Known(count, ends, {row["path"] for row in rows}, kept)


def partitions(path: str, topic: str, asked: int | None, there: int) -> int:
    """The number of partitions to use. Raises Refused."""
    if asked is not None and asked < 1:
        raise Refused(f"topic {topic}: a topic has 1 partition or more, not {asked}.")
    if asked is not None and there not in (0, asked):
        raise Refused(
            f"topic {topic} in {path} has {there} partitions, not {asked}: keys would move. "
            f"Leave the number out or give {there}."
        )
    return asked or there or DEFAULT_PARTITIONS
