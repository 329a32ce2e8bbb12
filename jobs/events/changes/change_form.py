"""What a record of a changed row becomes, whichever tool has written it.

A form makes one JSON object of each record: the columns of the row, and those of COLUMNS. From there on the record is
decoded, judged and put into quarantine like any other.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Protocol

import msgspec
import pyarrow as pa
from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType, TimestampType

from jobs.running.instants import EPOCH

INSERT, UPDATE, DELETE, SNAPSHOT, TRUNCATE, NONE = "insert", "update", "delete", "snapshot", "truncate", "none"
"""Values of change_op. A snapshot is a row as a capture tool has read it; none: a record that changes no row."""


def _column(name: str, kind: object, comment: str, nullable: bool = True) -> StructField:
    return StructField(name, kind, nullable, {"comment": comment})  # type: ignore[arg-type]


COLUMNS = StructType(
    [
        _column(
            "change_op", StringType(), "insert, update, delete, snapshot, truncate; none: it changes no row.", False
        ),
        _column("change_time", TimestampType(), "When the database made the change, UTC.", False),
        _column("change_source", StringType(), "Name of the database, as the capture tool calls it."),
        _column(
            "change_commit", LongType(), "Place of its transaction in the database's log, in the order of commits."
        ),
        _column("change_lsn", LongType(), "Place of the change itself in the database's log."),
        _column("change_clears", BooleanType(), "Whether all rows of the table that were changed before are no more."),
        _column("change_unknown", StringType(), "JSON list of columns of which the record does not tell the value."),
        _column(
            "change_old", StringType(), "JSON object of columns of the key before, if a change has changed the key."
        ),
    ]
)
"""What a form adds to the columns of the row."""
TRANSACTION = _column(
    "change_transaction", StringType(), "Id of its transaction in the database; snapshot: a row of a whole snapshot."
)
"""What a form adds to them, if the result follows the transactions of the database."""
WHOLE_SNAPSHOT = "snapshot"
"""The value of change_transaction for a row of a snapshot that does not go on beside the changes."""


def json_text(value: str | list[str]) -> bytes:
    """A text, or a list of texts, as JSON."""
    return msgspec.json.encode(value)


def instant(micros: int) -> bytes:
    """Microseconds since 1970 as JSON text of an instant in UTC; a number if no year has it."""
    seconds, fraction = divmod(micros, 1_000_000)
    try:
        return b'"%s.%06dZ"' % (_second(seconds), fraction)
    except OverflowError:
        return b"%d" % micros


@lru_cache(10_000)
def _second(seconds: int) -> bytes:
    moment = EPOCH + timedelta(seconds=seconds)
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}".encode()


def json_object(members: Mapping[str, bytes]) -> bytes:
    """JSON values by name as one object."""
    return b"{" + b",".join([_prefix(name) + value for name, value in members.items()]) + b"}"


@lru_cache(10_000)
def _prefix(name: str) -> bytes:
    return json_text(name) + b":"


def change_members(
    op: str,
    micros: int,
    source: str | None = None,
    commit: int | None = None,
    lsn: int | None = None,
    clears: bool = False,
    unknown: Sequence[str] = (),
    old: bytes | None = None,
    transaction: str | None = None,
) -> dict[str, bytes]:
    """COLUMNS and TRANSACTION as members of a JSON object; `micros`: when it was made, microseconds since 1970."""
    members = {"change_op": b'"%s"' % op.encode(), "change_time": instant(micros)}
    if source is not None:
        members["change_source"] = _name(source)
    for name, number in (("change_commit", commit), ("change_lsn", lsn)):
        if number is not None:
            members[name] = b"%d" % number
    if clears:
        members["change_clears"] = b"true"
    if unknown:
        members["change_unknown"] = json_text(json_text(list(unknown)).decode())
    if old is not None:
        members["change_old"] = json_text(old.decode())
    if transaction is not None:
        members[TRANSACTION.name] = json_text(transaction)
    return members


@lru_cache(1_000)
def _name(source: str) -> bytes:
    return json_text(source)


class ChangeForm(Protocol):
    """How a tool writes changes."""

    @property
    def name(self) -> str:
        """As the ledger and messages have it."""

    @property
    def is_by_offset(self) -> bool:
        """Whether the order of the changes of a key is that of its records in their partition. Then a key must stay in
        its partition, and the last record of a key is enough.
        """
        return False

    @property
    def reads_schema(self) -> bool:
        """Whether it reads what a schema of Kafka Connect's, beside the payload, says of the kinds of columns."""
        return False

    @property
    def transaction_topic(self) -> str:
        """The topic that tells of the transactions of the database, if they are followed; else empty."""
        return ""

    def plain_values(self, records: pa.RecordBatch, columns: StructType) -> pa.Array:
        """For each record one JSON object in UTF-8, of these columns of the row and of COLUMNS; null if it is no record
        of a change. `records`: key, value, timestamp and offset, as schemas/archive.py has them.
        """
