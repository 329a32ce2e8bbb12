"""Views over tables of latest rows are what their SQL gives, in whatever order and batches changes come."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.admin import view_check
from jobs.answers.delivery import Topic
from jobs.answers.latest import Latest
from jobs.answers.result import Result
from jobs.answers.views.view import View
from jobs.events import fast_decoder
from jobs.keeping import result_tables
from jobs.publishing import view_reader
from jobs.running.errors import Mistake, Refused
from tests.jobs.keeping import follows_and_posts
from tests.jobs.keeping.follows_and_posts import (
    ANSWERS,
    AUTHORS,
    LIMITED,
    MOST_FOLLOWERS,
    READS,
    RESULT,
    TIMELINE,
    Database,
)
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.world import World

ACCIDENTS = ("", "replay", "lose", "after events", "before publish", "after publish", "before ledger")


def check(world: World, database: Database) -> None:
    assert {(row["follower"], row["post"]): row["rank"] for row in world.rows()} == database.timeline()
    limited = {(row["follower"], row["post"]): row["rank"] for row in world.rows("_limited")}
    assert limited == database.timeline(MOST_FOLLOWERS)
    authors = {row["post"]: (row["author"], row["followers"], row["total"]) for row in world.rows("_authors")}
    assert authors == database.authors()
    sizes = {row["what"]: row["n"] for row in world.rows("_sizes")}
    assert sizes == {"follows": len(database.follows), "posts": len(database.posts)}
    assert len(world.rows()) == len(database.timeline()) and len(world.rows("_authors")) == len(database.posts)


@law
@given(
    seed=st.integers(0, 999),
    cuts=st.lists(st.integers(20, 79), min_size=1, max_size=2, unique=True).map(sorted),  # both topics are there then
    size=st.sampled_from([19, 1000]),
    accidents=st.lists(st.sampled_from(ACCIDENTS), min_size=3, max_size=3),
)
@example(seed=3, cuts=[30, 60], size=1000, accidents=["after publish", "before ledger", "before publish"])
def test_any_order_any_cut_and_any_accident(
    seed: int, cuts: list[int], size: int, accidents: list[str], spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    database, dice = Database(seed), random.Random(seed)
    for _ in range(80):
        database.change()
    arrived = database.told + dice.sample(database.told, 20)
    dice.shuffle(arrived)
    world = World(spark, tmp_path_factory.mktemp("views"), RESULT)
    for first, after, accident in zip([0, *cuts], [*cuts, len(arrived)], accidents, strict=False):
        follows_and_posts.append(world.places, arrived[first:after])
        if world.keep(size, crash=accident):
            {"replay": world.replay_batch, "lose": world.lose_checkpoint}.get(accident, lambda: None)()
    world.keep(size)
    check(world, database)


STALE = View(
    AUTHORS.sql, AUTHORS.key, AUTHORS.by,
    {"posts": "select author from changed where false", "follows": "select followee from changed where false"},
).named("stale")  # fmt: skip
"""What its job says is touched is wrong."""


def test_the_feed_has_what_a_publish_changes_and_a_wrong_claim_is_found(spark: SparkSession, tmp_path: Path) -> None:
    database, applied = Database(12), dict[tuple[int, int], int]()
    result = replace(RESULT, answers=(*ANSWERS, STALE), deliver=(Topic("timelines_out"),))
    world = World(spark, tmp_path, result)
    for statements in (60, 1, 20):
        told = len(database.told)
        for _ in range(statements):
            database.change()
        follows_and_posts.append(world.places, database.told[told:])
        world.keep()
        check(world, database)
    for row in sorted(world.rows("_feed"), key=lambda one: int(one["sequence"])):
        applied.pop((row["follower"], row["post"]), None)
        if row["change"] != "withdrawn":
            applied[row["follower"], row["post"]] = row["rank"]
    assert applied == database.timeline()
    assert max(row["revision"] for row in world.rows()) > 1, "a rank changes as posts come"

    *right, wrong = view_check.check(world.places, result)
    assert [view_check.lines(each, False) for each in right] == [
        [f"timeline_v1: equal to its SQL: {len(applied):,} rows"],
        [f"timeline_v1_authors: equal to its SQL: {len(database.posts):,} rows"],
        [f"timeline_v1_limited: equal to its SQL: {len(database.timeline(MOST_FOLLOWERS)):,} rows"],
        ["timeline_v1_sizes: equal to its SQL: 2 rows"],
    ]
    due, stored = (
        database.authors(),
        {row["post"]: (row["author"], row["followers"], row["total"]) for row in world.rows("_stale")},
    )
    missing, additional = due.keys() - stored.keys(), stored.keys() - due.keys()
    different = {post for post in due.keys() & stored.keys() if due[post] != stored[post]}
    assert missing and additional and different
    assert set(wrong.missing["post"].to_pylist()) == missing
    assert set(wrong.additional["post"].to_pylist()) == additional
    assert set(wrong.different["post"].to_pylist()) == different
    counts = f"{len(missing)} missing, {len(additional)} additional, {len(different)} different"
    lines = view_check.lines(wrong, False)
    assert lines[0] == f"timeline_v1_stale: differs from its SQL, of {len(due)} rows: {counts}"
    in_followers = sum(due[post][1] != stored[post][1] for post in different)
    assert f"  {in_followers} in followers" in lines and lines[-1] == "  which: --show-keys"
    assert f"  missing: post {min(missing)}" in view_check.lines(wrong, True)

    other = View("select id as post from posts", ("post",)).named("stale")
    changed = replace(result, answers=(*ANSWERS, other))
    with pytest.raises(Refused, match="answers"):
        World(spark, tmp_path, changed).keep()


def test_a_reader_gets_what_the_limit_leaves_out(spark: SparkSession, tmp_path: Path) -> None:
    database = Database(3)
    for _ in range(60):
        database.change()
    world = World(spark, tmp_path, RESULT)
    with pytest.raises(Refused, match="no table timeline_v1_ledger"):
        view_reader.rows(world.places, RESULT, LIMITED, follower=1)
    follows_and_posts.append(world.places, database.told)
    world.keep()
    assert len(world.rows("_limited")) < len(database.timeline())
    found = [row for follower in range(1, 5)
             for row in view_reader.rows(world.places, RESULT, LIMITED, follower=follower).to_pylist()]  # fmt: skip
    assert {(row["follower"], row["post"]): row["rank"] for row in found} == database.timeline()
    left_out = sum(count > MOST_FOLLOWERS for count in Counter(one for _, one in database.follows).values())
    said = f"View limited: {left_out} values of followee in follows have more than 2 rows, which are left to readers"
    assert [note for row in world.rows("_ledger") for note in row["notes"] or ()] == [said]
    with pytest.raises(Refused, match=r"View limited: its rows are read by a value of each column of follower=\.\.\."):
        view_reader.rows(world.places, RESULT, LIMITED, post=1)


def test_views_that_cannot_be_are_refused() -> None:
    with pytest.raises(Mistake, match="View: limit takes a column and the most rows"):
        replace(TIMELINE, limit={"follows": ("followee", 0)})
    with pytest.raises(Mistake, match="Latest and Versions answer the changes"):
        Result("x_v1", READS[0], TIMELINE)
    with pytest.raises(Mistake, match="by the names of their answers, and none has one"):
        Result("x_v1", READS[0], (Latest(key=("follower", "followee")), TIMELINE.named("timeline")))
    with pytest.raises(Mistake, match="two of its tables would be called timeline_v1_posts"):
        replace(RESULT, answers=(*ANSWERS, TIMELINE.named("posts")))
    columns = [fast_decoder.event_columns(reads.topic) for reads in READS]
    for limit, why in (
        ({"likes": ("id", 5)}, "limit names likes, and its SQL reads follows, posts"),
        ({"follows": ("who", 5)}, "the column who of follows, which has follower, followee"),
    ):
        with pytest.raises(Mistake, match=why):
            answers = (*ANSWERS[:2], replace(TIMELINE, limit=limit))
            result_tables.tables_from(replace(RESULT, answers=answers), *columns)
    wrong = replace(RESULT, answers=(*ANSWERS, View("select idd from posts", ("idd",)).named("wrong")))
    with pytest.raises(Mistake, match=r'timeline_v1: View wrong: .*"idd" not found in FROM clause'):
        result_tables.tables_from(wrong, *columns)
