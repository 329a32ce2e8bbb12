"""The rows that differ between two versions of a table are in the slices, each row in one of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.lake import table_queries, version_difference
from jobs.running.instants import sql_literal

START = datetime(2024, 1, 1, tzinfo=UTC)
FAR = datetime(2300, 1, 1, tzinfo=UTC)


def rows(hours: range, value: int, far: bool = False) -> pa.Table:
    """Three rows an hour."""
    times = [START + timedelta(hours=hour) for hour in hours for _ in range(3)] + [FAR] * far
    numbers = [*range(len(times))]
    columns = {"at": pa.array(times, pa.timestamp("us", "UTC")), "number": numbers, "value": [value] * len(times)}
    return pa.table(columns)


def found(path: Path, before: int, most_rows: int) -> tuple[list[list[tuple[datetime, int]]], list[int]]:
    """(at, value) of the rows of each slice, of both versions; and how many rows each slice has of a version."""
    old, now = DeltaTable(path, version=before), DeltaTable(path)
    slices, sizes = [], []
    for where in version_difference.slices(old, now, "at", most_rows):
        tables = [table_queries.rows_where(table, where) for table in (old, now)]
        sizes.append(max(map(len, tables)))
        slices.append([(row["at"], row["value"]) for table in tables for row in table.to_pylist()])
    return slices, sizes


@pytest.mark.parametrize("most_rows", [1, 5, 1000])
def test_slices(tmp_path: Path, most_rows: int) -> None:
    for day in range(3):
        write_deltalake(tmp_path, rows(range(24 * day, 24 * day + 24), 1, far=day == 2), mode="append")
    before = DeltaTable(tmp_path).version()
    end = START + timedelta(days=1)
    write_deltalake(tmp_path, rows(range(24), 2), mode="overwrite", predicate=f"at < {sql_literal(end)}")
    write_deltalake(tmp_path, rows(range(240, 242), 1), mode="append")
    slices, sizes = found(tmp_path, before, most_rows)
    times = [{at for at, _ in part} for part in slices]
    assert sum(map(len, times)) == len(set().union(*times)) == 26, (
        "each instant is in one slice, and no day is read in vain"
    )
    assert sorted(row for part in slices for row in part) == sorted(
        [(START + timedelta(hours=hour), value) for hour in range(24) for value in (1, 2) for _ in range(3)]
        + [(START + timedelta(hours=hour), 1) for hour in (240, 241) for _ in range(3)]
    )
    assert max(sizes) <= max(most_rows + 3, 3)


def test_versions_of_the_same_files_have_no_slices(tmp_path: Path) -> None:
    write_deltalake(tmp_path, rows(range(2), 1))
    assert found(tmp_path, 0, 10) == ([], [])


def test_an_empty_table_differs_from_one_with_rows(tmp_path: Path) -> None:
    write_deltalake(tmp_path, rows(range(1), 1).slice(0, 0))
    write_deltalake(tmp_path, rows(range(2), 1, far=True), mode="append")
    slices, _ = found(tmp_path, 0, 1000)
    assert [row for part in slices for row in part].count((FAR, 1)) == 1
    assert sum(map(len, slices)) == 7
