"""Rows are found by keys of every type, in files that an append, a MERGE or Spark's types have made."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.lake import commits, delta_tables
from jobs.publishing import key_rows

KEYS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "text": (pa.string(), ["ä", "b", "c", "dd"]),
    "bytes": (pa.binary(), [b"\xff", b"b", b"c", b"dd"]),
    "whole": (pa.int32(), [1, 2, 3, 40]),
    "decimal": (pa.decimal128(10, 2), [Decimal("1.25"), Decimal("2.50"), Decimal("-3.00"), Decimal("4.75")]),
    "boolean and text": (pa.bool_(), [True, False, True, False]),
}


@pytest.mark.parametrize("kind", KEYS)
def test_rows_are_found_by_their_key(tmp_path: Path, kind: str) -> None:
    column, values = KEYS[kind]
    key = ("key", "second") if kind == "boolean and text" else ("key",)
    columns = pa.schema([("key", column), ("second", pa.string()), ("value", pa.int64())])
    rows: list[dict[str, Any]] = [
        {"key": one, "second": text, "value": place}
        for place, (one, text) in enumerate(zip(values, ["x", "x", "y", "y"], strict=True))
    ]
    write_deltalake(tmp_path, pa.Table.from_pylist(rows[:2], columns))
    merged = pa.Table.from_pylist([rows[1] | {"value": 10}, *rows[2:]], columns)
    commit = commits.Commit("name", "1", 2, "publish", {}, {})
    delta_tables.merge_rows(merged, merged.slice(0, 0), str(tmp_path), key, commit)
    wanted = pa.Table.from_pylist([rows[1], rows[3], rows[0] | {"second": "y" if len(key) > 1 else "x"}], columns)
    found = key_rows.read(DeltaTable(tmp_path), wanted, key).sort_by("value").to_pylist()
    first = [rows[0]] if len(key) == 1 else [rows[2]]
    assert found == sorted([*first, rows[3], rows[1] | {"value": 10}], key=lambda row: int(row["value"]))
