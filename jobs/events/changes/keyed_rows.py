"""A topic whose record is the new row of its key, and a null the deletion of it: a compacted topic, a KTable, what
upsert-kafka writes.

Nothing but the topic orders such changes: a later offset of the same partition is later. change_commit and change_lsn
are the offset.
"""

from dataclasses import dataclass

import msgspec
import pyarrow as pa
from pyspark.sql.types import StringType, StructType

from jobs.events.changes.change_form import DELETE, UPDATE, ChangeForm, change_members, json_object, json_text

Fields = dict[str, msgspec.Raw]
"""JSON values as they are written, by column."""


@dataclass(frozen=True)
class KeyedRows(ChangeForm):
    """The form: a value is a JSON object of the row's columns; a key one of its key columns, or the value of the only
    one. The key of the record counts where the row names another.
    """

    @property
    def name(self) -> str:
        """As the ledger has it."""
        return "rows"

    @property
    def is_by_offset(self) -> bool:
        """See ChangeForm."""
        return True

    def plain_values(self, records: pa.RecordBatch, columns: StructType) -> pa.Array:
        """See ChangeForm."""
        key = {field.name: isinstance(field.dataType, StringType) for field in columns if not field.nullable}
        names = frozenset(columns.names)
        times = records["timestamp"].cast(pa.int64())
        columns_of_records = (records["key"], records["value"], records["offset"], times)
        made = []
        for row_key, row, offset, micros in zip(*(each.to_pylist() for each in columns_of_records), strict=True):
            change = change_members(DELETE if row is None else UPDATE, micros, commit=offset, lsn=offset)
            made.append(_plain_value(row_key, row, key, names, change))
        return pa.array(made, pa.binary())


ROWS = KeyedRows()
"""The only one."""


def _plain_value(
    record_key: bytes | None,
    row: bytes | None,
    key: dict[str, bool],
    names: frozenset[str],
    change: dict[str, bytes],
) -> bytes | None:
    """The record as one JSON object; None if it is no row. `key`: its columns, and whether each is text."""
    try:
        fields = {} if row is None else msgspec.json.decode(row, type=Fields)
        fields |= _key_fields(record_key, key)
    except (msgspec.MsgspecError, ValueError):
        return None
    members = {name: bytes(value) for name, value in fields.items() if name in names and bytes(value) != b"null"}
    return json_object(members | change) if members.keys() >= key.keys() else None


def _key_fields(record_key: bytes | None, key: dict[str, bool]) -> Fields:
    """The columns of the key that a record's key tells."""
    if record_key is None:
        return {}
    if record_key.lstrip().startswith(b"{"):
        return {name: value for name, value in msgspec.json.decode(record_key, type=Fields).items() if name in key}
    if len(key) != 1:
        return {}
    [(name, is_text)] = key.items()
    if is_text and not record_key.startswith(b'"'):
        return {name: msgspec.Raw(json_text(record_key.decode()))}
    msgspec.json.decode(record_key)
    return {name: msgspec.Raw(record_key)}
