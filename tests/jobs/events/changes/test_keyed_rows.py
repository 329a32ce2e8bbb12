"""What becomes of a record that is the new row of its key, worked out by hand."""

from typing import Any

import pytest
from pyspark.sql.types import DataType, LongType, StringType, StructField, StructType

from jobs.events.changes.keyed_rows import ROWS
from tests.jobs.events.changes.records import TIME, plain

NUMBER, TEXT = LongType(), StringType()


def columns(*key: tuple[str, DataType]) -> StructType:
    return StructType([*(StructField(name, kind, False) for name, kind in key), StructField("v", TEXT)])


def rows(pairs: list[tuple[Any, Any]], kinds: StructType) -> list[Any]:
    """What is made of records, without what is the same in all."""
    found = plain(ROWS, kinds, pairs)
    for place, one in enumerate(found):
        if one is not None:
            always = {name: one.pop(name) for name in ("change_time", "change_commit", "change_lsn")}
            assert always == {"change_time": TIME, "change_commit": 7 + place, "change_lsn": 7 + place}
    return found


def test_a_value_is_a_row_and_a_null_a_deletion() -> None:
    pairs = [({"id": 1}, {"id": 1, "v": "a", "other": 5}), ({"id": 1}, {"id": 1, "v": None}), ({"id": 1}, None)]
    assert rows(pairs, columns(("id", NUMBER))) == [
        {"id": 1, "v": "a", "change_op": "update"},
        {"id": 1, "change_op": "update"},
        {"id": 1, "change_op": "delete"},
    ]


@pytest.mark.parametrize(
    ("kind", "key", "expected"),
    [
        (NUMBER, b"12", 12),
        (NUMBER, b'{"id": 12}', 12),
        (TEXT, b"12", "12"),
        (TEXT, b'"12"', "12"),
        (TEXT, "Zürich".encode(), "Zürich"),
        (TEXT, b'{"id": "12", "more": 1}', "12"),
    ],
)
def test_the_key_of_a_record(kind: DataType, key: bytes, expected: object) -> None:
    [deleted, row, both] = rows([(key, None), (key, {"v": "a"}), (key, {"id": 9, "v": "a"})], columns(("id", kind)))
    assert deleted == {"id": expected, "change_op": "delete"}
    assert row == both == {"id": expected, "v": "a", "change_op": "update"}


def test_a_key_of_several_columns() -> None:
    two = columns(("shop", TEXT), ("id", NUMBER))
    assert rows([({"shop": "x", "id": 1}, None), (b"x", {"shop": "y", "id": 2}), (b"x", None)], two) == [
        {"shop": "x", "id": 1, "change_op": "delete"},
        {"shop": "y", "id": 2, "change_op": "update"},
        None,
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, None),
        (None, {"v": "a"}),
        (b"x", {"v": "a"}),
        (b"1", b"no JSON"),
        (b"1", [1]),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_what_is_no_row(key: bytes | None, value: Any) -> None:
    assert plain(ROWS, columns(("id", NUMBER)), [(key, value)]) == [None]
