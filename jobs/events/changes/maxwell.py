"""Records as Maxwell's Daemon writes them: changes of MySQL, one row in each.

The order of changes is that of the binary log: its file and the place in it (`position`), and within one place the
number of the row in its transaction (`xoffset`), which the last row of a transaction (`commit`) has not. Written after
Maxwell's documentation, "Data format" and "Bootstrapping", and tried with the records that stand there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import pyarrow as pa
from pyspark.sql.types import DataType, DecimalType, StringType, StructType, TimestampType

from jobs.events.changes.change_form import (
    DELETE,
    INSERT,
    NONE,
    SNAPSHOT,
    UPDATE,
    ChangeForm,
    change_members,
    json_object,
    json_text,
)

Fields = dict[str, msgspec.Raw]
"""JSON values as they are written, by column."""

_OPS = {"insert": INSERT, "update": UPDATE, "delete": DELETE, "bootstrap-insert": SNAPSHOT}
_OTHERS = re.compile(r"bootstrap-(start|complete)|(table|database)-(create|alter|drop)")
"""Types of records that change no row."""
Kinds = Mapping[str, DataType]
"""The types of columns, by name."""
_TIME = re.compile(rb'"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?"')
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_MOST_FILES = 2**20
_LAST = 2**11 - 1
"""The number of the last row of a transaction in it, and the largest that is told apart."""


class _Record(msgspec.Struct):
    type: str
    database: str
    ts: int
    table: str = ""
    position: str | None = None
    xoffset: int | None = None
    commit: bool = False
    data: Fields = {}
    old: Fields = {}


@dataclass(frozen=True, kw_only=True)
class Maxwell(ChangeForm):
    """The form. Maxwell has to be set to output_binlog_position=true and output_xoffset=true, and MySQL to
    binlog_row_image=FULL.
    """

    table: str = ""
    """DATABASE.TABLE of a topic with several: records of others are passed over. Empty: the topic has one table."""

    @property
    def name(self) -> str:
        """As the ledger has it."""
        return f"maxwell table={self.table}" if self.table else "maxwell"

    def plain_values(self, records: pa.RecordBatch, columns: StructType) -> pa.Array:
        """See ChangeForm. A tombstone, a change of a table's columns, and the marks of a bootstrap change no row."""
        kinds = {field.name: field.dataType for field in columns}
        key = {field.name: field.dataType for field in columns if not field.nullable}
        times = records["timestamp"].cast(pa.int64()).to_pylist()
        pairs = zip(records["value"].to_pylist(), times, strict=True)
        return pa.array([self._plain_value(value, micros, kinds, key) for value, micros in pairs], pa.binary())

    def _plain_value(self, value: bytes | None, record_micros: int, kinds: Kinds, key: Kinds) -> bytes | None:
        """The record as one JSON object; None if it is no change of Maxwell's, or has no place in the binary log."""
        if value is None:
            return json_object(change_members(NONE, record_micros))
        try:
            record = msgspec.json.decode(value, type=_Record)
        except (msgspec.MsgspecError, ValueError):
            return None
        op = _OPS.get(record.type)
        is_of_another = bool(self.table) and f"{record.database}.{record.table}" != self.table
        if is_of_another or (op is None and _OTHERS.fullmatch(record.type)):
            return json_object(change_members(NONE, record_micros))
        place, members = _place(record, op), _members(record.data, kinds)
        if op is None or place is None or not members.keys() >= key.keys():
            return None
        old = _members(record.old, key) if op == UPDATE else {}
        before = json_object({name: members[name] for name in key} | old) if old else None
        commit, lsn = place
        change = change_members(op, record.ts * 1_000_000, record.database, commit, lsn, old=before)
        return json_object(members | change)


MAXWELL = Maxwell()
"""Of a topic with one table."""


def _place(record: _Record, op: str | None) -> tuple[int, int] | None:
    """Two numbers by which changes are in the order of the binary log, the second another one for each change; None if
    the record does not tell.

    Maxwell reads the binary log without a gap, so a row that a bootstrap reads, and whose place it does not tell, is
    older than any change.
    """
    found = re.fullmatch(r".*\.(\d+):(\d+)", record.position or "")
    if not found:
        return (0, 0) if op == SNAPSHOT else None
    file, place = int(found[1]), int(found[2])
    if file >= _MOST_FILES or place >= 2**32:
        return None
    row = _LAST if record.commit and record.xoffset is None else min(record.xoffset or 0, _LAST - 1)
    commit = file << 32 | place
    return commit, commit << 11 | row


def _members(fields: Fields, kinds: Kinds) -> dict[str, bytes]:
    """The values that are not null, of these columns."""
    members = {name: bytes(value) for name, value in fields.items() if name in kinds}
    return {name: _readable(value, kinds[name]) for name, value in members.items() if value != b"null"}


def _readable(value: bytes, kind: DataType) -> bytes:
    """A time of MySQL, in UTC, as others write it; a decimal, and the JSON document of a text column, as text."""
    if isinstance(kind, TimestampType) and _TIME.fullmatch(value):
        return value[:11] + b"T" + value[12:-1] + b'Z"'
    if isinstance(kind, DecimalType) and _NUMBER.fullmatch(value):
        return b'"' + value + b'"'
    is_document = isinstance(kind, StringType) and value[:1] in (b"{", b"[")
    return json_text(value.decode()) if is_document else value
