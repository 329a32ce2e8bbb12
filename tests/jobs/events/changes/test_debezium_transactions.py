"""Records of the topic of transactions, as Debezium's documentation and a real connector have them."""

import json
from typing import Any

import pyarrow as pa
import pytest

from jobs.events.changes.debezium_transactions import COLUMNS, Transactions

END = {
    "status": "END",
    "id": "765:24405600",
    "ts_ms": 1_714_500_000_123,
    "event_count": 3,
    "data_collections": [
        {"data_collection": "public.a", "event_count": 2},
        {"data_collection": "public.b", "event_count": 1},
    ],
}
BEGIN = {"status": "BEGIN", "id": "765:24405088", "ts_ms": 1_714_500_000_123, "event_count": None}


def plain(value: Any) -> Any:
    """What the form makes of one record."""
    raw = None if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
    [found] = Transactions().plain_values(pa.record_batch({"value": pa.array([raw], pa.binary())}), COLUMNS).to_pylist()
    return found and json.loads(found)


def test_an_end_says_where_it_is_and_what_it_counts() -> None:
    expected = {
        "transaction_id": "765", "transaction_lsn": 24405600, "transaction_status": "END",
        "transaction_time": "2024-04-30T18:00:00.123000Z",
    }  # fmt: skip
    for record in (END, {"schema": {"type": "struct"}, "payload": END}):
        found = plain(record)
        assert json.loads(found.pop("transaction_counts")) == {"public.a": 2, "public.b": 1}
        assert found == expected
    begun = plain(BEGIN)
    assert (begun["transaction_status"], begun["transaction_lsn"]) == ("BEGIN", 24405088)


@pytest.mark.parametrize("value", [None, b"", b"{", {"status": "END"}, END | {"id": "765"}, END | {"ts_ms": "x"}])
def test_what_is_no_transaction_is_none(value: Any) -> None:
    assert plain(value) is None
