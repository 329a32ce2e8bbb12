"""Two tables row by row: DuckDB and plain Python say what differs."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.admin.versions import table_comparison
from jobs.admin.versions.table_comparison import OWN, Comparison, Side
from jobs.running.errors import Refused

Compare = Callable[..., Comparison]


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Writes two tables and compares them."""

    def both(old: pa.Table, new: pa.Table, *key: str, tolerance: float = 1e-9, **more: Any) -> Comparison:
        sides = []
        for name, rows in (("old", old), ("new", new)):
            write_deltalake(str(tmp_path / name), rows)
            sides.append(Side(DeltaTable(str(tmp_path / name))))
        return table_comparison.compare(sides[0], sides[1], key or ("id",), tolerance, **more)

    return both


def sides(rows: int, seed: int) -> tuple[pa.Table, pa.Table]:
    """Two tables with keys of a group that may be null and an instant, of which some differ."""
    drawn = np.random.default_rng(seed)
    keys = drawn.permutation(rows * 2)[:rows]

    def table(kept: np.ndarray, changed: float) -> pa.Table:
        groups = [None if key % 7 == 0 else f"g{key % 5}" for key in kept]
        counts = [int(key) + int(key % 100 < changed * 100) for key in kept]
        texts = [None if key % 11 == 0 else str(key % (3 if changed else 4)) for key in kept]
        return pa.table(
            {
                "group": groups,
                "start": pa.array([int(key) * 1_000_000 for key in kept], pa.timestamp("us", "UTC")),
                "count": pa.array(counts, pa.int64()),
                "text": texts,
            }
        ).take(pa.array(drawn.permutation(len(kept))))

    return table(keys[: rows * 9 // 10], 0), table(keys[rows // 10 :], 0.25)


@pytest.mark.parametrize("part_rows", [1_000_000, 400], ids=["at once", "in parts"])
def test_it_counts_what_duckdb_counts(compare: Compare, part_rows: int) -> None:
    old, new = sides(3_000, 1)
    found = compare(old, new, "group", "start", part_rows=part_rows, examples=3)
    pairs = 'old full join new on old."group" is not distinct from new."group" and old.start = new.start'
    found_by_duckdb = duckdb.sql(
        f"""select count(*) filter (new.start is null), count(*) filter (old.start is null),
        count(*) filter (old.start = new.start and (old.count <> new.count or old.text is distinct from new.text)),
        count(*) filter (old.start = new.start and old.count <> new.count),
        count(*) filter (old.start = new.start and old.text is distinct from new.text),
        max(abs(old.count - new.count)) from {pairs}"""
    )
    assert found_by_duckdb
    (counted,) = found_by_duckdb.fetchall()
    assert all(counted)
    columns = (found.columns["count"], found.columns["text"], found.largest["count"].value)
    assert (found.missing, found.added, found.different, *columns) == counted
    assert (found.old_rows, found.new_rows) == (2_700, 2_700)
    assert {sort: len(keys) for sort, keys in found.examples.items()} == {"missing": 3, "added": 3, "different": 3}
    olds, news = (set(zip(side["group"].to_pylist(), side["start"].to_pylist(), strict=True)) for side in (old, new))
    assert set(found.examples["missing"]) <= olds - news
    assert set(found.examples["added"]) <= news - olds
    assert set(found.examples["different"]) <= olds & news


@pytest.mark.parametrize("part_rows", [1_000_000, 100])
def test_a_table_is_equal_to_itself_in_another_order(compare: Compare, part_rows: int) -> None:
    rows, _ = sides(500, 2)
    shuffled = rows.take(pa.array(np.random.default_rng(3).permutation(len(rows))))
    found = compare(rows, shuffled, "group", "start", part_rows=part_rows)
    assert found.is_equal and found.old_rows == 450 and not found.columns


DAY = datetime(2026, 3, 1, tzinfo=UTC)
BIG = 2**62


@pytest.mark.parametrize(
    ("kinds", "values", "equal", "largest"),
    [
        ((pa.int64(), pa.int64()), (BIG, -BIG), False, Decimal(2**63)),
        ((pa.int32(), pa.int64()), (7, 7), True, None),
        ((pa.int32(), pa.float64()), (7, 7.5), False, 0.5),
        ((pa.decimal128(38, 2), pa.decimal128(38, 3)), (Decimal("1.10"), Decimal("1.100")), True, None),
        ((pa.decimal128(9, 2), pa.decimal128(9, 3)), (Decimal("1.10"), Decimal("1.101")), False, Decimal("0.001")),
        ((pa.decimal128(38),) * 2, (Decimal(10**37), -Decimal(10**37)), False, Decimal(2 * 10**37)),
        ((pa.float64(), pa.float64()), (1e6, 1e6 + 1e-4), True, None),
        ((pa.float64(), pa.float64()), (1e6, 1e6 + 1e-2), False, 1e6 + 1e-2 - 1e6),
        ((pa.float64(), pa.float64()), (math.nan, math.nan), True, None),
        ((pa.float64(), pa.float64()), (math.nan, None), False, None),
        ((pa.float64(), pa.float64()), (math.inf, math.inf), True, None),
        ((pa.float64(), pa.float64()), (math.inf, -math.inf), False, math.inf),
        ((pa.float64(), pa.float64()), (math.inf, 1e300), False, math.inf),
        ((pa.float64(), pa.float64()), (0.0, -0.0), True, None),
        ((pa.int64(), pa.int64()), (None, 0), False, None),
        ((pa.string(), pa.string()), (None, ""), False, None),
        ((pa.string(), pa.string()), (None, None), True, None),
        ((pa.binary(), pa.binary()), (b"\xff", b"\xfe"), False, None),
        ((pa.timestamp("us", "UTC"), pa.timestamp("us", "UTC")), (DAY, DAY.replace(microsecond=1)), False, None),
        ((pa.list_(pa.float64()), pa.list_(pa.float64())), ([1.0, math.nan], [1.0, math.nan]), True, None),
        ((pa.list_(pa.float64()), pa.list_(pa.float64())), ([1.0], [2.0]), False, None),
        ((pa.struct([("a", pa.int32())]), pa.struct([("a", pa.int32())])), ({"a": 1}, {"a": None}), False, None),
    ],
)  # fmt: skip
def test_values_of_each_type(compare: Compare, kinds: tuple, values: tuple, equal: bool, largest: object) -> None:
    old, new = (pa.table({"id": [1], "v": pa.array([value], kind)}) for kind, value in zip(kinds, values, strict=True))
    found = compare(old, new)
    assert found.is_equal == equal
    assert (found.different, dict(found.columns)) == ((0, {}) if equal else (1, {"v": 1}))
    if not equal:
        assert found.largest["v"].value == largest


def test_columns_of_one_side_and_unlike_types_are_named(compare: Compare) -> None:
    old = pa.table({"id": [1], "gone": [1], "kind": ["1"], "revision": [3]})
    new = pa.table({"id": [1], "come": [1], "kind": [1], "updated_time": [3], "sequence": [4]})
    found = compare(old, new)
    assert found.lone_columns == (("gone",), ("come",))
    assert found.unlike_types == ("kind: string, int64",)
    assert not found.is_equal and not found.different


def test_what_says_how_a_row_came_about_is_not_compared(compare: Compare) -> None:
    old = pa.table({"id": [1], "revision": [3], "updated_time": [DAY]})
    new = pa.table({"id": [1], "revision": [4], "updated_time": [DAY.replace(year=2027)]})
    assert compare(old, new).is_equal


@pytest.mark.parametrize("part_rows", [1_000_000, 2])
def test_keys_that_do_not_tell_rows_apart_are_refused(compare: Compare, part_rows: int) -> None:
    once, twice = pa.table({"id": [None, 1, 2, 3]}), pa.table({"id": [1, None, 2, None]})
    with pytest.raises(Refused, match="several rows are alike in id"):
        compare(once, twice, part_rows=part_rows)


@pytest.mark.parametrize("part_rows", [1_000_000, 2])
def test_keys_of_unlike_whole_numbers_are_the_same_keys(compare: Compare, part_rows: int) -> None:
    old = pa.table({"id": pa.array([1, 2, None, -4, 5], pa.int32())})
    new = pa.table({"id": pa.array([5, 2, None, -4, 9], pa.int64())})
    found = compare(old, new, part_rows=part_rows)
    assert (found.missing, found.added) == (1, 1)


@pytest.mark.parametrize(
    "key",
    [
        pa.array([b"\xff", None, b""], pa.binary()),
        pa.array([Decimal("1.5"), None, Decimal("-2.5")], pa.decimal128(10, 1)),
        pa.array([DAY.date(), None, DAY.replace(year=1969).date()], pa.date32()),
        pa.array([True, None, False]),
        pa.array([1.5, None, -3.25]),
    ],
    ids=lambda key: str(key.type),
)
def test_parts_by_a_key_of_each_type(compare: Compare, key: pa.Array) -> None:
    old, new = pa.table({"id": key, "v": [1, 2, 3]}), pa.table({"id": key.take(pa.array([2, 0, 1])), "v": [3, 1, 9]})
    found = compare(old, new, part_rows=1)
    assert (found.missing, found.added, found.different) == (0, 0, 1)


def test_a_key_that_is_not_there_is_refused(compare: Compare) -> None:
    with pytest.raises(Refused, match="the key has the column id, which one of the tables has not"):
        compare(pa.table({"id": [1]}), pa.table({"other": [1]}))
    with pytest.raises(Refused, match="the column id of the key is string in one table and int64 in the other"):
        table_comparison._common_schema(
            [pa.schema([("id", pa.string())]), pa.schema([("id", pa.int64())])], ("id",), OWN
        )


def test_an_empty_table(compare: Compare) -> None:
    empty = pa.table({"id": pa.array([], pa.int64())})
    found = compare(empty, pa.table({"id": [1, 2]}))
    assert (found.missing, found.added, found.old_rows, found.new_rows) == (0, 2, 0, 2)
