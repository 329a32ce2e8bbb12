"""Two sets of rows that differ in a few are told apart, without a place for each row."""

import random

import numpy as np
import pyarrow as pa
import pytest

from jobs.admin.database import row_groups
from jobs.admin.database.row_groups import Difference, GroupTotals

Row = tuple[str | None, ...]


def table(rows: list[Row]) -> pa.Table:
    return pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], names=["id", "a", "b"])


def totals(rows: list[Row]) -> GroupTotals:
    found = GroupTotals()
    for begin in range(0, len(rows), 700):
        found.add(table(rows[begin : begin + 700]), 1)
    return found


def test_the_groups_that_differ_are_those_of_the_rows_that_differ() -> None:
    dice = random.Random(4)
    rows: list[Row] = [(str(number), dice.choice(["x", "", None]), str(dice.random())) for number in range(5000)]
    others = rows[:10] + rows[11:4000] + [(rows[4000][0], "y", "z"), *rows[4001:], ("new", None, "")]
    dice.shuffle(others)
    unlike = totals(rows).unlike(totals(others))
    keys: list[Row] = [("10", "", ""), ("4000", "", ""), ("new", "", "")]
    assert set(unlike) == set(row_groups.groups_of(table(keys), 1)) and len(unlike) <= 3
    assert not len(totals(rows).unlike(totals(dice.sample(rows, len(rows)))))


@pytest.mark.parametrize(
    "one, other",
    [
        (("1", None, ""), ("1", "", None)),
        (("1", "n", ""), ("1", None, "")),
        (("1", "", "v"), ("1", "v", "")),
        (("1", "ab", "c"), ("1", "a", "bc")),
        (("1", "a\nb", "c"), ("1", "a", "b\nc")),
    ],
)
def test_rows_that_look_alike_are_unlike(one: Row, other: Row) -> None:
    assert len(totals([one]).unlike(totals([other]))) == 1


def test_each_kind_of_difference() -> None:
    database = table([("1", "a", "b"), ("2", "a", "b"), ("3", "a", None), ("5", "a", "b")])
    result = table([("1", "a", "b"), ("3", "A", ""), ("4", "a", "b"), ("5", "a", "b"), ("5", "a", "b")])
    found = [(one.kind, one.key, one.columns) for one in row_groups.differences(database, result, 1)]
    assert found == [
        ("additional", ("4",), ()),
        ("different", ("3",), ("a", "b")),
        ("doubled", ("5",), ()),
        ("missing", ("2",), ()),
    ]
    again: list[Difference] = row_groups.differences(database, result.take([4, 3, 2, 1, 0]), 1)
    assert again == row_groups.differences(database, result, 1), "in whatever order the rows come"


def test_not_more_rows_than_the_memory_has(monkeypatch: pytest.MonkeyPatch) -> None:
    side = GroupTotals()
    side.counts[:] = 10
    monkeypatch.setattr(row_groups, "MOST_ROWS", 45)
    assert row_groups.first_groups(np.array([3, 5, 7, 9, 11, 13]), side).tolist() == [3, 5, 7, 9]
    monkeypatch.setattr(row_groups, "MOST_ROWS", 4)
    assert row_groups.first_groups(np.array([3, 5]), side).tolist() == [3]
