"""Sessions follow from the set of events, whatever the cut and the accident; open ones are shown."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.answers.result import Late
from jobs.events.lateness_rule import Remedy
from jobs.keeping import fast_pass
from tests.jobs.keeping import searches, searches_by_hand
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.searches import ALLOWED, ALONE, Visits
from tests.jobs.keeping.searches_by_hand import VISITS


def check(world: Visits, only_in_time: bool = False) -> None:
    expected = searches_by_hand.sessions(world.visits_read(), only_in_time)
    rows = world.rows()
    found = searches.by_key([{name: row[name] for name in expected[0]} for row in rows])
    assert found == expected
    spells = world.rows("_spells")
    assert len(spells) == len(rows) and sum(row["searches"] for row in spells) == sum(row["searches"] for row in rows)


cuts = st.lists(st.integers(1, 89), min_size=0, max_size=2, unique=True).map(sorted)
accidents = st.lists(
    st.sampled_from(["", "replay", "lose", "after stragglers", "after spells", "before publish", "after publish"]),
    min_size=3,
    max_size=3,
)


@law
@example(cuts=[30, 60], accidents=["replay", "after spells", "after publish"], size=29, seed=8, few=0)
@given(cuts=cuts, accidents=accidents, size=st.sampled_from([13, 29, 1000]), seed=st.integers(0, 99),
       few=st.sampled_from([0, 1000]))  # fmt: skip
def test_any_cut_and_any_accident(
    cuts: list[int], accidents: list[str], size: int, seed: int, few: int, spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    world = Visits(spark, tmp_path_factory.mktemp("sessions"), searches.result("r_v1", VISITS, ALONE))
    written = searches.log(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_pass, "FEW_RECORDS", few)
        for first, after, accident in zip([0, *cuts], [*cuts, len(written)], accidents, strict=False):
            world.add(written[first:after])
            if world.keep(size, crash=accident):
                {"replay": world.replay_batch, "lose": world.lose_checkpoint}.get(accident, lambda: None)()
        world.keep(size)
    check(world)


def test_a_continuous_run_shows_open_sessions_and_joins_two_by_a_straggler(spark: SparkSession, tmp_path: Path) -> None:
    world = Visits(spark, tmp_path, searches.result("r_v1", VISITS, ALONE, min_records_per_batch=1))
    start = searches.START
    times = [(0, "ann"), (60, "ann"), (240, "ann"), (300, "bob"), (420, "bob")]
    world.add([searches.Visit("searches", user, start + timedelta(seconds=at), "w0", True) for at, user in times])
    world.keep_running(batch=2, publish_every="1 second")
    check(world)
    before = {(row["user"], row["session_start"]): row["revision"] for row in world.rows()}
    assert len(before) == 4 and not all(row["final"] for row in world.rows())
    late = start + timedelta(seconds=150)  # joins the two sessions of ann, which begin 240 seconds apart
    world.add([searches.Visit("searches", "ann", late, "w0", False)])
    world.keep_running(batch=2, publish_every="1 second")
    check(world)
    rows = {(row["user"], row["session_start"]): row for row in world.rows()}
    assert len(rows) == 3
    joined = rows["ann", start]
    assert (joined["searches"], joined["revision"]) == (4, before["ann", start] + 1)


@pytest.mark.parametrize("then", ["drop", "quarantine"])
def test_late_events_that_are_left_out_are_counted_and_in_no_session(
    then: Remedy, spark: SparkSession, tmp_path: Path
) -> None:
    topic = type(searches.SEARCHES)(**vars(searches.SEARCHES) | {"MAX_AHEAD": "1 minute"})
    reads = type(ALONE)(topic, ALONE.transform)
    world = Visits(spark, tmp_path, searches.result("r_v1", VISITS, reads, late=Late("2 minutes", then)))
    world.add(searches.log(3))
    world.keep(60)
    check(world, only_in_time=True)
    placed = searches.placed(world.visits_read())
    late = {(part, place[1]) for (_, part), there in placed.items() for _, place, behind in there if behind > ALLOWED}
    ledger = world.rows("_ledger")
    assert len(late) > 5
    assert {(row["partition"], row["offset"]) for row in world.rows("_stragglers")} == late
    assert sum(row["late"] for row in ledger) == len(world.rows("_stragglers")) == len(late)
    assert sum(row["dropped"] for row in ledger) == (len(late) if then == "drop" else 0)
    waiting = {(row["partition"], row["offset"]) for row in world.rows("_quarantine")}
    assert waiting == (late if then == "quarantine" else set())
    in_sessions = sum(row["searches"] for row in world.rows())
    assert in_sessions + len(late) == sum(row["records"] for row in ledger) == len(world.visits_read())
