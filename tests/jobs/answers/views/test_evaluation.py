"""The rows of a view and what changes touch, worked out by hand."""

from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql.types import LongType, StringType, StructField, StructType

from jobs.answers.views import analysis, evaluation
from jobs.answers.views.evaluation import TableChanges
from jobs.answers.views.view import View
from jobs.running.errors import Mistake

FOLLOWS = pa.schema([("follower", pa.int64()), ("followee", pa.int64()), ("change_carried", pa.string())])
POSTS = pa.schema([("id", pa.int64()), ("author", pa.int64()), ("place", pa.string())])
SCHEMAS = {"follows": FOLLOWS, "posts": POSTS}
GIVEN = {
    "follows": StructType(
        [
            StructField("follower", LongType()),
            StructField("followee", LongType()),
            StructField("change_carried", StringType()),
        ]
    ),
    "posts": StructType(
        [StructField("id", LongType()), StructField("author", LongType()), StructField("place", StringType())]
    ),
}
SQL = """
    select f.follower, p.id as post, row_number() over (partition by f.follower order by p.id desc) as rank
    from follows f join posts p on p.author = f.followee qualify rank <= 2
"""
TIMELINE = View(SQL, ("follower", "post"), ("follower",))
BEFORE = {"follows": [(1, 10), (2, 10), (2, 20), (3, 30)], "posts": [(100, 10), (101, 10), (102, 20), (103, 40)]}


def table(name: str, rows: list[Any]) -> pa.Table:
    names = SCHEMAS[name].names
    dicts = [dict(zip(names, row, strict=False)) for row in rows]
    return pa.Table.from_pylist([dict.fromkeys(names) | one for one in dicts], SCHEMAS[name])


def after(rows: dict[str, list[Any]], **changes: tuple[list[Any], list[Any]]) -> dict[str, list[Any]]:
    """The tables, without the first rows of each change, and with the second ones."""
    found = {}
    for name, before in rows.items():
        gone, new = changes.get(name, ([], []))
        found[name] = [row for row in before if row not in gone] + new
    return found


def touched(view: View, **changes: tuple[list[Any], list[Any]]) -> list[Any] | None:
    """The touched values of `by`, if BEFORE has changed so."""
    now = {name: table(name, rows) for name, rows in after(BEFORE, **changes).items()}
    tables = {name: TableChanges(table(name, gone), table(name, new)) for name, (gone, new) in changes.items()}
    values = evaluation.touched_values(view, analysis.analyse(view, GIVEN), now, tables)
    return None if values is None else sorted((tuple(row.values()) for row in values.to_pylist()), key=repr)


def rows(view: View, state: dict[str, list[Any]], values: list[Any] | None = None) -> list[Any]:
    found = analysis.analyse(view, GIVEN)
    kinds = pa.schema([found.schema.field(name) for name in view.by])
    wanted = (
        None if values is None else pa.Table.from_pylist([dict(zip(view.by, v, strict=True)) for v in values], kinds)
    )
    given = {name: table(name, one) for name, one in state.items()}
    return sorted((tuple(row.values()) for row in evaluation.rows(view, found, given, wanted).to_pylist()), key=repr)


def test_the_timeline_has_the_newest_posts_of_those_whom_each_follows() -> None:
    assert rows(TIMELINE, BEFORE) == [(1, 100, 2), (1, 101, 1), (2, 101, 2), (2, 102, 1)]
    assert rows(TIMELINE, BEFORE, [(1,), (3,), (9,)]) == [(1, 100, 2), (1, 101, 1)]
    unfollowed = after(BEFORE, follows=([(2, 20)], []))
    assert rows(TIMELINE, unfollowed, [(2,)]) == [(2, 100, 2), (2, 101, 1)], "filled from what was out of the first two"


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"posts": ([], [(104, 10)])}, [(1,), (2,)]),
        ({"posts": ([(102, 20)], [])}, [(2,)]),
        ({"posts": ([(102, 20)], [(102, 30)])}, [(2,), (3,)]),
        ({"posts": ([(103, 40)], [])}, []),
        ({"follows": ([], [(4, 10)])}, [(4,)]),
        ({"follows": ([(2, 20)], [(5, 20)])}, [(2,), (5,)]),
        ({"follows": ([(2, 10)], []), "posts": ([(100, 10)], [])}, [(1,), (2,)]),
        ({}, []),
    ],
)
def test_a_change_touches_those_whom_it_concerns(changes: Any, due: list[Any]) -> None:
    by_hand = {
        "posts": "select f.follower from changed c join follows f on f.followee = c.author",
        "follows": "select follower from changed",
    }
    assert touched(TIMELINE, **changes) == due
    assert touched(View(SQL, TIMELINE.key, TIMELINE.by, by_hand), **changes) == due


def test_what_an_unfollow_and_a_deletion_touch_together_is_found_by_rows_as_they_were() -> None:
    """The SQL of the job looks only at posts; the follow that led to them is gone."""
    claims = {
        "posts": "select f.follower from changed c join follows f on f.followee = c.author",
        "follows": "select follower from changed where false",
    }
    view = View(SQL, TIMELINE.key, TIMELINE.by, claims)
    assert touched(view, follows=([(2, 20)], []), posts=([(102, 20)], [])) == [(2,)]


UNCERTAIN = (
    "select follower, max(followee) as post from follows group by 1 having count(*) > (select count(*) from posts)",
    "select follower, followee as post from follows f left join posts p on p.author < f.followee where id is null",
    "select follower, followee as post from follows union select author, id from posts",
    "select author as follower, id as post from follows right join posts on author = followee",
    "select author as follower, followee as post from follows left join posts on author = followee where followee = 40",
    "select follower, id as post, rank() over (order by follower) as rank from follows join posts on id = followee",
    "select follower, id as post from follows join posts on author = followee order by 1, 2 limit 3",
    "select distinct on (id) follower, id as post from follows join posts on id = followee order by id, follower",
    "select follower + 1 as follower, followee as post from follows join posts on id = followee",
    "select follower, followee as post from follows semi join posts on id = followee",
    "select follower, followee as post from follows where followee in (select author from posts)",
    "select follower, followee as post from follows join posts on id = followee or author = followee",
)


@pytest.mark.parametrize("sql", UNCERTAIN)
def test_where_it_is_not_certain_everything_is_computed(sql: str) -> None:
    view = View(sql, ("follower", "post"), ("follower",))
    assert touched(view, posts=([], [(104, 10)])) is None
    assert touched(View(SQL, TIMELINE.key), posts=([], [(104, 10)])) is None, "no by"


def test_a_table_that_the_view_does_not_read_touches_nothing() -> None:
    view = View("select followee, count(*) as n from follows group by 1", ("followee",), ("followee",))
    assert touched(view, posts=([], [(104, 10)])) == []


def test_null_is_a_value_of_by() -> None:
    view = View("select id, place, count(*) over (partition by place) as n from posts", ("id",), ("place",))
    state: dict[str, list[Any]] = {"follows": [], "posts": [(1, 1, None), (2, 1, None), (3, 1, "a")]}
    assert rows(view, state, [(None,)]) == [(1, None, 2), (2, None, 2)]
    assert touched(view, posts=([(100, 10)], [(100, 10, "a")])) == [("a",), (None,)]


@pytest.mark.parametrize(
    ("sql", "due"),
    [
        ("select author as id, place from posts", "gives several rows for 1 keys (id)"),
        (
            "select follower as id from posts left join follows on followee = author",
            "id is of the key, and null in 1 rows",
        ),
        ("select id, place::int as n from posts", "fails on a row: a value does not convert"),
        ("select (id * 9000000000000000000) as id from posts", "fails on a row: a value does not convert"),
        (
            "select id, strptime(place, '%Y') at time zone 'UTC' as t from posts",
            "fails on a row: a value does not convert",
        ),
    ],
)
def test_rows_that_cannot_be_are_refused_without_their_values(sql: str, due: str) -> None:
    state: dict[str, list[Any]] = {
        "follows": [(1, 10), (2, 11)],
        "posts": [(100, 10, "secret"), (101, 10, "secret"), (102, 40, "secret")],
    }
    with pytest.raises(Mistake) as caught:
        rows(View(sql, ("id",), name="feed"), state)
    assert due in str(caught.value) and "secret" not in str(caught.value) and "\n" not in str(caught.value)
