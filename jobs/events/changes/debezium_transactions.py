"""The topic in which Debezium tells where transactions begin and end (provide.transaction.metadata).

An id is NUMBER:LSN, of which the number is that of the transaction in PostgreSQL. The LSN at the end is that of the
commit, which later transactions name as the commit before them. Tried with Debezium 3.4 and PostgreSQL 18.
"""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import msgspec
import pyarrow as pa
from pyspark.sql.types import LongType, StringType, StructField, StructType, TimestampType

from jobs.events.changes.change_form import ChangeForm, instant, json_object, json_text

BEGIN, END = "BEGIN", "END"
COLUMNS = StructType(
    [
        StructField("transaction_time", TimestampType(), False, {"comment": "When the database committed it, UTC."}),
        StructField("transaction_id", StringType(), True, {"comment": "Its number in the database."}),
        StructField("transaction_status", StringType(), True, {"comment": "BEGIN or END."}),
        StructField("transaction_lsn", LongType(), True, {"comment": "Of an END: place of its commit in the log."}),
        StructField(
            "transaction_counts", StringType(), True, {"comment": "JSON object: how many changes of which table."}
        ),
    ]
)
"""Of a record of the topic."""


class _Count(msgspec.Struct):
    data_collection: str
    event_count: int


class _Mark(msgspec.Struct):
    id: str
    status: str
    ts_ms: int
    data_collections: list[_Count] | None = None


class _Wrapper(msgspec.Struct):
    """What JsonConverter writes with schemas.enable."""

    payload: _Mark


@dataclass(frozen=True)
class Transactions(ChangeForm):
    """The form of the topic."""

    @property
    def name(self) -> str:
        """As the ledger has it."""
        return "debezium-transactions"

    @property
    def is_by_offset(self) -> bool:
        """See ChangeForm: transactions stand in the order of their commits."""
        return True

    def plain_values(self, records: pa.RecordBatch, columns: StructType) -> pa.Array:
        """See ChangeForm. `columns` are COLUMNS."""
        return pa.array(map(_plain_value, records["value"].to_pylist()), pa.binary())


def topic(name: str, encoding: str | None = None) -> Any:
    """A TopicSchema of the topic of this name; `encoding`: that of its values, as ENCODING of a schema file says it."""
    made = SimpleNamespace(
        TOPIC=name, KEY=None, EVENT_TIME="transaction_time", COLUMNS=COLUMNS, ROW_COLUMNS=COLUMNS, FORM=Transactions()
    )
    if encoding:
        made.ENCODING = encoding
    return made


def is_of_transactions(form: object) -> bool:
    """Whether this is the form of such a topic."""
    return isinstance(form, Transactions)


def prefix(name: str) -> str:
    """What the names of the topics of the same database begin with: PREFIX. of PREFIX.transaction."""
    return name[: name.rfind(".") + 1]


def _plain_value(value: bytes | None) -> bytes | None:
    """The record as one JSON object; None if it tells of no transaction."""
    if value is None:
        return None
    try:
        try:
            mark = msgspec.json.decode(value, type=_Wrapper).payload
        except msgspec.ValidationError:
            mark = msgspec.json.decode(value, type=_Mark)
        number, _, lsn = mark.id.partition(":")
        counts = {one.data_collection: one.event_count for one in mark.data_collections or ()}
        members = {"transaction_id": json_text(number), "transaction_lsn": b"%d" % int(lsn)}
    except (msgspec.MsgspecError, ValueError):
        return None
    members |= {"transaction_status": json_text(mark.status), "transaction_time": instant(mark.ts_ms * 1_000)}
    return json_object(members | {"transaction_counts": json_text(msgspec.json.encode(counts).decode())})
