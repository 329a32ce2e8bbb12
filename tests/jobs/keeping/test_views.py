"""Views over tables of latest rows are what their SQL gives, whatever the order and the batches in which changes come."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from tests.jobs.keeping import follows_and_posts
from tests.jobs.keeping.follows_and_posts import RESULT, Database
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.world import World

ACCIDENTS = ("", "replay", "lose", "after events", "before publish", "after publish", "before ledger")


def check(world: World, database: Database) -> None:
    assert {(row["follower"], row["post"]): row["rank"] for row in world.rows()} == database.timeline()
    authors = {row["post"]: (row["author"], row["followers"], row["total"]) for row in world.rows("_authors")}
    assert authors == database.authors()
    sizes = {row["what"]: row["n"] for row in world.rows("_sizes")}
    assert sizes == {"follows": len(database.follows), "posts": len(database.posts)}
    assert len(world.rows()) == len(database.timeline()) and len(world.rows("_authors")) == len(database.posts)


@law
@given(
    seed=st.integers(0, 999),
    cuts=st.lists(st.integers(1, 79), min_size=1, max_size=2, unique=True).map(sorted),
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
