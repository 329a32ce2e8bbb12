"""Records as Debezium's connectors write them in JSON, with or without the schema beside the payload.

The order of changes is `source.sequence`: the LSN of the last commit before the transaction of a change, and that of
the change. The second alone would not do: of two transactions that overlap, the one that commits last may have written
first. A snapshot has the LSN of the moment that it shows. Tried with Debezium 3.4 and its connector for PostgreSQL 18.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import pyarrow as pa
from pyspark.sql.types import DecimalType, StructType

from jobs.events.changes import debezium_values as values
from jobs.events.changes.change_form import (
    DELETE,
    INSERT,
    NONE,
    SNAPSHOT,
    TRUNCATE,
    UPDATE,
    WHOLE_SNAPSHOT,
    ChangeForm,
    change_members,
    json_object,
)
from jobs.running import durations
from jobs.running.errors import Mistake

_OPS = {"c": INSERT, "u": UPDATE, "d": DELETE, "r": SNAPSHOT, "t": TRUNCATE, "m": NONE}
_LAST = ("last", "last_in_data_collection")
"""Debezium's marks of the last row of a table in a snapshot."""

Fields = dict[str, msgspec.Raw]
"""JSON values as they are written, by column."""
Converter = tuple[str, values.Convert, bytes]
"""A column, what makes its values readable, and the value that stands for an unknown one."""


class _Source(msgspec.Struct):
    """Where a change stands in the source."""

    sequence: str
    name: str | None = None
    ts_ms: int | None = None
    ts_us: int | None = None
    snapshot: str | bool | None = None

    @property
    def micros(self) -> int | None:
        """When the change was made, in microseconds since 1970."""
        if self.ts_us is not None:
            return self.ts_us
        return None if self.ts_ms is None else self.ts_ms * 1_000


class _Transaction(msgspec.Struct):
    """Of which transaction a change is: its number in the database, and the LSN of the change."""

    id: str

    @property
    def number(self) -> str:
        """What is the same for all its changes."""
        return self.id.partition(":")[0]


class _Envelope(msgspec.Struct):
    op: str
    source: _Source
    transaction: _Transaction | None = None
    before: Fields | None = None
    after: Fields | None = None


class _Flat(msgspec.Struct, rename={"is_deleted": "__deleted", "op": "__op", "name": "__source_name"}):
    """What ExtractNewRecordState adds to a row, as the form wants it."""

    is_deleted: str | bool
    op: str
    sequence: str = msgspec.field(name="__source_sequence")
    ts_ms: int = msgspec.field(name="__source_ts_ms")
    name: str | None = None
    snapshot: str | bool | None = msgspec.field(name="__source_snapshot", default=None)


class _Wrapper(msgspec.Struct):
    """What JsonConverter writes with schemas.enable."""

    schema: msgspec.Raw
    payload: msgspec.Raw


class _Schema(msgspec.Struct):
    """Of a payload, or of a part of it."""

    type: str
    name: str | None = None
    field: str | None = None
    fields: list["_Schema"] = []


@dataclass(frozen=True, kw_only=True)
class Debezium(ChangeForm):
    """A form of Debezium's. Where no schema is beside the payload, a column of the schema file says what its numbers
    stand for: metadata={"debezium": "io.debezium.time.MicroTimestamp"}.
    """

    is_flat: bool = False
    """Whether records are rows alone, as ExtractNewRecordState leaves them with delete.tombstone.handling.mode=rewrite
    and add.fields=op,source.sequence,source.ts_ms,source.snapshot."""
    decimals: str = "precise"
    """The connector's decimal.handling.mode, where no schema is beside the payload: precise, string or double."""
    transactions: str = ""
    """The topic in which the connector tells of transactions, such as "store.transaction". With it a publish shows
    whole transactions. Empty: a reader may see a part of one."""
    wait: str = "1 minute"
    """So long after its end a transaction is waited for of which the log lacks changes. Then it is shown as it is."""

    def __post_init__(self) -> None:
        if self.decimals not in ("precise", "string", "double"):
            raise Mistake(f"decimals is {self.decimals!r}; it must be precise, string or double")
        durations.seconds(self.wait)
        if self.transactions and self.is_flat:
            raise Mistake(
                "rows alone do not say of which transaction they are: let the connector write the envelope, without "
                "ExtractNewRecordState, to follow transactions"
            )

    @property
    def name(self) -> str:
        """As the ledger has it: it is a part of the definition of the result."""
        kind = "debezium-flattened" if self.is_flat else "debezium"
        kind = kind if self.decimals == "precise" else f"{kind} decimals={self.decimals}"
        return f"{kind} transactions={self.transactions}" if self.transactions else kind

    @property
    def reads_schema(self) -> bool:
        """See ChangeForm."""
        return True

    @property
    def transaction_topic(self) -> str:
        """See ChangeForm."""
        return self.transactions

    def plain_values(self, records: pa.RecordBatch, columns: StructType) -> pa.Array:
        """See ChangeForm. A tombstone and a message that no row belongs to change nothing."""
        reader = _Reader(self, columns)
        keys, contents = (records[name].to_pylist() for name in ("key", "value"))
        times = records["timestamp"].cast(pa.int64()).to_pylist()
        return pa.array(map(reader.plain_value, keys, contents, times), pa.binary())


CHANGES = Debezium()
"""The envelope: before, after, op, source."""
FLATTENED = Debezium(is_flat=True)
"""Rows alone, see Debezium.is_flat."""


class _Reader:
    """Reads the records of one block."""

    def __init__(self, form: Debezium, columns: StructType) -> None:
        self._form, self._columns = form, columns
        usual = values.DECIMAL if form.decimals == "precise" else None
        named = {
            field.name: field.metadata.get("debezium", usual if isinstance(field.dataType, DecimalType) else None)
            for field in columns
        }
        self._usual = self._converters(named)
        self._key = {field.name for field in columns if not field.nullable}
        self._by_schema: dict[bytes, list[Converter]] = {}

    def _converters(self, named: Mapping[str, str | None]) -> list[Converter]:
        kinds = ((field.name, field.dataType) for field in self._columns)
        return [(name, values.converter(kind, named.get(name)), values.unknown_value(kind)) for name, kind in kinds]

    def plain_value(self, key: bytes | None, value: bytes | None, record_micros: int) -> bytes | None:
        """The record's value as one JSON object; None if it is no change."""
        if value is None:
            return json_object(change_members(NONE, record_micros))
        try:
            schema, payload = _unwrap(value)
            return (
                self._flat(schema, payload)
                if self._form.is_flat
                else self._envelope(schema, payload, key, record_micros)
            )
        except (msgspec.MsgspecError, ValueError):
            return None

    def _envelope(self, schema: bytes | None, payload: bytes, key: bytes | None, record_micros: int) -> bytes | None:
        change = msgspec.json.decode(payload, type=_Envelope)
        op, source = _OPS.get(change.op), change.source
        if op is None:
            return None
        micros = source.micros if source.micros is not None else record_micros
        if op == NONE:
            return json_object(change_members(NONE, micros))
        row = (change.before or _row_of_key(key)) if op == DELETE else change.after or {}
        return self._plain(schema, row, op, micros, source, self._transaction(change))

    def _transaction(self, change: _Envelope) -> str | None:
        """Which transaction a change is of, as change_transaction has it."""
        if not self._form.transactions:
            return None
        is_whole = change.op == "r" and change.source.snapshot != "incremental"
        if is_whole:
            return WHOLE_SNAPSHOT
        return change.transaction.number if change.transaction else None

    def _flat(self, schema: bytes | None, payload: bytes) -> bytes | None:
        change = msgspec.json.decode(payload, type=_Flat)
        op = DELETE if change.is_deleted in (True, "true") else _OPS.get(change.op)
        if op is None:
            return None
        row = msgspec.json.decode(payload, type=Fields)
        return self._plain(schema, row, op, change.ts_ms * 1_000, change)

    def _plain(
        self,
        schema: bytes | None,
        row: Fields,
        op: str,
        micros: int,
        source: _Source | _Flat,
        transaction: str | None = None,
    ) -> bytes | None:
        members, unknown = {}, []
        converters = self._usual if schema is None else self._of_schema(schema)
        for name, convert, stands_for_unknown in converters:
            if name not in row:
                continue
            value = bytes(row[name])
            if value == stands_for_unknown:
                unknown.append(name)
            elif value != b"null":
                members[name] = convert(value)
        if op != TRUNCATE and not members.keys() >= self._key:
            return None
        before, own = msgspec.json.decode(source.sequence, type=tuple[str | None, str])
        lsn = int(own)
        # Without a commit before it, it is a snapshot, or of the first transaction that the connector has seen.
        commit = int(before) if before is not None else lsn if op == SNAPSHOT else None
        clears = op == TRUNCATE or (op == SNAPSHOT and source.snapshot in _LAST)
        change = change_members(op, micros, source.name, commit, lsn, clears, unknown, transaction=transaction)
        return json_object(members | change)

    def _of_schema(self, schema: bytes) -> list[Converter]:
        """The converters by the kinds that stand beside the payload."""
        if schema not in self._by_schema:
            of_record = msgspec.json.decode(schema, type=_Schema)
            parts = (
                [of_record] if self._form.is_flat else [p for p in of_record.fields if p.field in ("before", "after")]
            )
            named = {one.field: one.name or one.type for part in parts for one in part.fields if one.field}
            self._by_schema[schema] = self._converters(named)
        return self._by_schema[schema]


def _unwrap(value: bytes) -> tuple[bytes | None, bytes]:
    """The schema and the payload of a record; no schema if the record is the payload."""
    try:
        wrapper = msgspec.json.decode(value, type=_Wrapper)
    except msgspec.ValidationError:
        return None, value
    return bytes(wrapper.schema), bytes(wrapper.payload)


def _row_of_key(key: bytes | None) -> Fields:
    """The columns of a record's key."""
    if key is None:
        return {}
    return msgspec.json.decode(_unwrap(key)[1], type=Fields)
