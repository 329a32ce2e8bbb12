"""Records as Maxwell's Daemon writes them: changes of MySQL, one row in each.

The order of changes is that of the binary log: its file and the place in it (`position`), and within one place the
number of the row in its transaction (`xoffset`), which the last row of a transaction (`commit`) has not. Written after
Maxwell's documentation, "Data format" and "Bootstrapping", and tried with the records that stand there.
"""

import re
from dataclasses import dataclass

import msgspec
import pyarrow as pa
from pyspark.sql.types import StringType, StructType

from jobs.events.changes.change_form import (
    DELETE,
    INSERT,
    NONE,
    SNAPSHOT,
    UPDATE,
    change_members,
    json_object,
    json_text,
)

Fields = dict[str, msgspec.Raw]
"""JSON values as they are written, by column."""

_OPS = {"insert": INSERT, "update": UPDATE, "delete": DELETE, "bootstrap-insert": SNAPSHOT}
_OTHERS = re.compile(r"bootstrap-(start|complete)|(table|database)-(create|alter|drop)")
"""Types of records that change no row."""
_LAST = 2**62
"""Where the last row of a transaction stands in it."""


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
class Maxwell:
    """The form. Maxwell has to be set to output_binlog_position=true and output_xoffset=true, and MySQL to
    binlog_row_image=FULL.
    """

    table: str = ""
    """DATABASE.TABLE of a topic with several: records of others are passed over. Empty: the topic has one table."""

    @property
    def name(self) -> str:
        """As the ledger has it."""
        return f"maxwell table={self.table}" if self.table else "maxwell"

    @property
    def is_by_offset(self) -> bool:
        """See ChangeForm."""
        return False

    def plain_values(self, records: pa.RecordBatch, columns: StructType) -> pa.Array:
        """See ChangeForm. A tombstone, a change of a table's columns, and the marks of a bootstrap change no row."""
        texts = frozenset(field.name for field in columns if isinstance(field.dataType, StringType))
        key = frozenset(field.name for field in columns if not field.nullable)
        names, times = frozenset(columns.names), records["timestamp"].cast(pa.int64()).to_pylist()
        pairs = zip(records["value"].to_pylist(), times, strict=True)
        return pa.array([self._plain_value(value, micros, names, key, texts) for value, micros in pairs], pa.binary())

    def _plain_value(
        self, value: bytes | None, record_micros: int, names: frozenset[str], key: frozenset[str], texts: frozenset[str]
    ) -> bytes | None:
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
        place = _place(record, op)
        members = _members(record.data, names, texts)
        if op is None or place is None or not members.keys() >= key:
            return None
        old = _members(record.old, key, texts) if op == UPDATE else {}
        before = json_object({name: members[name] for name in key} | old) if old else None
        commit, lsn = place
        change = change_members(op, record.ts * 1_000_000, record.database, commit, lsn, old=before)
        return json_object(members | change)


MAXWELL = Maxwell()
"""Of a topic with one table."""


def _place(record: _Record, op: str | None) -> tuple[int, int] | None:
    """Two numbers by which changes are in the order of the binary log; None if the record does not tell.

    Maxwell reads the binary log without a gap, so a row that a bootstrap reads, and whose place it does not tell, is
    older than any change.
    """
    found = re.fullmatch(r".*\.(\d+):(\d+)", record.position or "")
    if not found:
        return (0, 0) if op == SNAPSHOT else None
    row = _LAST if record.commit and record.xoffset is None else record.xoffset or 0
    return int(found[1]) << 32 | int(found[2]), row


def _members(fields: Fields, names: frozenset[str], texts: frozenset[str]) -> dict[str, bytes]:
    """The values that are not null; a JSON document of a text column as text."""
    members = {name: bytes(value) for name, value in fields.items() if name in names}
    return {
        name: json_text(value.decode()) if name in texts and value[:1] in (b"{", b"[") else value
        for name, value in members.items()
        if value != b"null"
    }
