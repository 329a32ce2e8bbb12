"""Stored queries: each advert with each rule that it met at its time, whatever the order in which both come."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from tests.jobs.keeping import watches
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.watches import RESULT, RULES, Town
from tests.jobs.keeping.world import World

ACCIDENTS = ("", "replay", "lose", "after events", "before publish", "after publish", "before ledger")


def check(world: World, town: Town) -> None:
    rows = world.rows()
    found = [(r["event_time"], r["city"] or "", r["id"], r["owner"], r["version_lsn"]) for r in rows]
    assert sorted(found) == town.hits()
    rules = {row["change_lsn"]: row for row in world.rows("_rules")}
    hits = Counter(lsn for *_, lsn in found)
    texts = {version.lsn: version.text for version in town.versions if version.text is not None}
    assert rules.keys() == texts.keys()
    assert {lsn: row["hits"] for lsn, row in rules.items()} == {lsn: hits[lsn] for lsn in texts}
    assert {lsn for lsn, row in rules.items() if row["fault"]} == {
        lsn for lsn, text in texts.items() if not RULES[text]
    }
    assert world.rows("_quarantine") == []


@law
@given(
    seed=st.integers(0, 999),
    cuts=st.lists(st.integers(1, 59), min_size=1, max_size=2, unique=True).map(sorted),
    size=st.sampled_from([17, 1000]),
    accidents=st.lists(st.sampled_from(ACCIDENTS), min_size=3, max_size=3),
)
@example(seed=3, cuts=[30], size=1000, accidents=["after publish", "replay", ""])
@example(seed=8, cuts=[20, 45], size=29, accidents=["before ledger", "after events", "lose"])
def test_any_order_any_cut_and_any_accident(
    seed: int, cuts: list[int], size: int, accidents: list[str], spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    town = Town(seed, 60)
    dice = random.Random(seed)
    arrived: list[Any] = [("advert", advert) for advert in town.adverts] + [("rule", change) for change in town.told]
    dice.shuffle(arrived)
    world = World(spark, tmp_path_factory.mktemp("watches"), RESULT)
    for first, after, accident in zip([0, *cuts], [*cuts, len(arrived)], accidents, strict=False):
        part = arrived[first:after]
        watches.append(
            world.places, *([what for kind, what in part if kind == wanted] for wanted in ("advert", "rule"))
        )
        if world.keep(size, crash=accident):
            {"replay": world.replay_batch, "lose": world.lose_checkpoint}.get(accident, lambda: None)()
    world.keep(size)
    check(world, town)
    notes = [note for row in world.rows("_ledger") for note in row["notes"] or () if "versions of rules" in note]
    assert any("cannot be used: `headrace rules` names them" in note for note in notes)
