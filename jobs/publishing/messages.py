"""The changes of an answer as JSON: for records of a topic, webhooks and files."""

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from jobs.answers.delivery import CHANGE
from jobs.publishing.event_difference import WITHDRAWN

HEADERS = ("revision", "sequence", CHANGE)
"""Columns of a feed that records of a topic have in their headers, too."""


def records(changes: pa.Table, key: Sequence[str], rows_key: Sequence[str]) -> pa.RecordBatch:
    """The changes as records of a topic: key, value, timestamp, headers.

    The key is a JSON object of the columns `key`, the value one of the row. A row that was withdrawn has no value if
    the key tells it from all others (`rows_key`), so that compaction removes it.
    """
    rows = changes.to_pylist()
    is_rows_key = set(key) == set(rows_key)
    values = [None if is_rows_key and row[CHANGE] == WITHDRAWN else to_json(row) for row in rows]
    headers = [[{"key": name, "value": str(row[name]).encode()} for name in HEADERS] for row in rows]
    header = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))
    return pa.record_batch(
        {
            "key": pa.array([to_json({name: row[name] for name in key}) for row in rows], pa.binary()),
            "value": pa.array(values, pa.binary()),
            "timestamp": changes["updated_time"].combine_chunks(),
            "headers": pa.array(headers, header),
        }
    )


def messages(changes: pa.Table, table: str, key: Sequence[str]) -> list[bytes]:
    """The changes as JSON objects with `id`, `table`, `key` and `row`, in order.

    A message that is sent again has the same id; no other message of any result has it. It is a hash of table, key,
    revision and sequence: a row that was withdrawn and comes again begins with revision 1.
    """
    found = []
    for row in changes.to_pylist():
        names = to_json({name: row[name] for name in key}).decode()
        parts = json.dumps([table, names, row["revision"], row["sequence"]])
        id_ = hashlib.sha256(parts.encode()).hexdigest()[:32]
        found.append(b'{"id":"%b","table":%b,"key":%b,"row":%b}'
                     % (id_.encode(), json.dumps(table).encode(), names.encode(), to_json(row)))  # fmt: skip
    return found


def to_json(row: dict[str, Any]) -> bytes:
    """An object of JSON in UTF-8. Times are text in UTC to the microsecond, bytes base64, decimals text with all their
    digits, numbers that JSON does not know the words NaN, Infinity and -Infinity.
    """
    return json.dumps(_plain(row), ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
