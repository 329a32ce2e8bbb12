"""Answers of kept events follow from the set of events: whatever the cut, the accident and the place."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.answers.outcomes import Before, Outcomes, Then
from jobs.answers.result import Late
from jobs.answers.sequences import Sequences
from jobs.answers.sliding import Sliding
from jobs.events.lateness_rule import Remedy
from jobs.keeping import fast_pass, housekeeping
from jobs.publishing import event_plan, event_publication
from tests.jobs.keeping import searches
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.searches import ALLOWED, ALONE, BOTH, NOT_TOO_LATE, Visits
from tests.jobs.keeping.searches_by_hand import CLICKED, clicked

CLOSED = Outcomes(
    "clicks", ("user",), (Then("is_last", "2 minutes", without="is_close"),), (Before("searches", "1 minute"),)
).named("closed")


def test_search_by_search(spark: SparkSession, tmp_path: Path) -> None:
    world = Visits(spark, tmp_path, searches.result("clicked_v1", CLICKED))
    world.add(searches.log(1, 100))
    world.keep(50)
    rows = {(row["record_partition"], row["record_offset"]): row for row in world.found()}
    found = {place: (row["outcome"], row["clicks_time"]) for place, row in rows.items()}
    assert found == clicked(world.visits)
    assert {outcome for outcome, _ in found.values()} == {"clicked", "not_clicked", "late_click", "open"}
    check(world)


def check(world: Visits, rule: str = "correct") -> None:
    for which in range(len(world.result.event_answers)):
        found, expected = world.found(which), world.expected(which, rule)
        assert found == expected
    ledger = sorted(world.rows("_ledger"), key=lambda row: row["sequence"])
    late = [one for there in searches.placed(world.visits_read()).values() for one in there if one[2] > ALLOWED]
    assert len(world.rows("_stragglers")) == len(late) == sum(row["late"] for row in ledger)
    kept = sum(len(world.rows(f"_{topic}")) for topic in world.result.topics)
    quarantined = len(world.rows("_quarantine"))
    dropped = sum(row["dropped"] for row in ledger)
    assert sum(row["records"] for row in ledger) == len(world.visits_read()) == kept + quarantined + dropped


BURSTS = Sliding(("user",), "2 minutes", count="searches", uniques=("words",), least=2)
HINTS = Sequences("p+l", {"l": "is_last", "p": "is_search"}, ("user",), "2 minutes", restart="3 minutes").named("hints")
ANSWERS: dict[str, tuple[Any, Any]] = {
    "outcomes": ((CLICKED, CLOSED), BOTH),
    "one topic": ((BURSTS, HINTS), ALONE),
}
cuts = st.lists(st.integers(1, 89), min_size=0, max_size=2, unique=True).map(sorted)
accidents = st.lists(
    st.sampled_from(["", "replay", "lose", "after stragglers", "after events", "before publish", "after publish"]),
    min_size=3,
    max_size=3,
)


@pytest.mark.parametrize("kind", list(ANSWERS))
@law
@example(cuts=[30, 55], accidents=["lose", "after events", "before publish"], size=1000, seed=8)
@given(cuts=cuts, accidents=accidents, size=st.sampled_from([13, 29, 1000]), seed=st.integers(0, 99))
def test_any_cut_and_any_accident(
    kind: str, cuts: list[int], accidents: list[str], size: int, seed: int, spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    answers, reads = ANSWERS[kind]
    world = Visits(spark, tmp_path_factory.mktemp("events"), searches.result("r_v1", answers, reads))
    written = searches.log(seed)
    for first, after, accident in zip([0, *cuts], [*cuts, len(written)], accidents, strict=False):
        world.add(written[first:after])
        if world.keep(size, crash=accident):
            {"replay": world.replay_batch, "lose": world.lose_checkpoint}.get(accident, lambda: None)()
    world.keep(size)
    check(world)


def test_a_publication_that_was_taken_back_is_made_again(spark: SparkSession, tmp_path: Path) -> None:
    """Nothing new is in the log: it gets the number that the one before it had."""
    world = Visits(spark, tmp_path, searches.result("r_v1", CLICKED))
    world.add(searches.log(1, most_behind=NOT_TOO_LATE))
    for _ in range(2):
        assert not world.keep(crash="after publish")
    assert world.keep()
    check(world)


def test_a_continuous_run_publishes_as_it_goes(spark: SparkSession, tmp_path: Path) -> None:
    """One answer shows its rows early, the other once they are final."""
    answers = (replace(CLICKED, early=True), CLOSED)
    world = Visits(spark, tmp_path, searches.result("r_v1", answers, min_records_per_batch=1))
    written = searches.log(5, 100, NOT_TOO_LATE)
    world.add(written[:50])
    world.keep()
    check(world)
    world.add(written[50:])
    world.keep_running(batch=10, publish_every="1 second")
    check(world)
    published = [row for row in world.rows("_ledger") if row["kind"] == "publish"]
    assert len(published) > 2


def test_a_row_that_a_run_has_shown_open_stays_so_until_it_is_decided(spark: SparkSession, tmp_path: Path) -> None:
    """Or until the next run ends: a run that goes on does not write it for each event that it may be about."""
    world = Visits(spark, tmp_path, searches.result("r_v1", CLICKED, min_records_per_batch=1))
    assert CLICKED.leaves_open_rows(world.result.topics)
    written = searches.log(5, 160, NOT_TOO_LATE)
    world.add(written[:60])
    world.keep()
    check(world)
    shown = {place_of(row): row for row in world.rows() if row["outcome"] == "open"}
    world.add(written[60:110])
    world.keep_running(batch=10, publish_every="1 second")
    check(world)
    publishes = sum(row["kind"] == "publish" for row in world.rows("_ledger"))
    again = [row for row in world.rows() if place_of(row) in shown]
    assert publishes > 3 and len(again) == len(shown) > 5
    assert all(row["revision"] <= 2 for row in again) and any(row["outcome"] != "open" for row in again)
    world.add(written[110:])
    world.keep()
    check(world)


def place_of(row: dict[str, Any]) -> tuple[int, int]:
    return row["record_partition"], row["record_offset"]


def test_events_that_nothing_needs_any_more_are_removed_once_they_are_published(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 2)
    world = Visits(spark, tmp_path, searches.result("r_v1", (CLICKED, CLOSED)))
    world.add(searches.log(13, 400, NOT_TOO_LATE))
    world.keep(batch=50)
    assert sum(row["kind"] == "batch" for row in world.rows("_ledger")) >= 7
    assert world.found() == world.expected()
    kept = [row["event_time"] for topic in world.result.topics for row in world.rows(f"_{topic}")]
    horizon = searches.complete_time(world.visits) - timedelta(seconds=housekeeping.kept_seconds(world.result))
    assert len(kept) < 380 and min(kept) >= horizon - timedelta(minutes=25)
    world.lose_checkpoint()
    world.add(searches.log(14, 10, NOT_TOO_LATE))
    world.keep()
    assert [row for row in world.found() if row["event_time"] > horizon] == [
        row for row in world.expected() if row["event_time"] > horizon
    ]


@pytest.mark.parametrize("kind", list(ANSWERS))
def test_the_place_does_not_matter(
    kind: str, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One slice or many, here or in tasks: the rows are the same to the bit."""
    answers, reads = ANSWERS[kind]
    written = searches.log(11, most_behind=NOT_TOO_LATE)
    found = []
    places = ((1_000_000, 16, 500_000), (10, 16, 500_000), (10, -1, 0))
    for slice_events, most_slices, few in places if kind == "outcomes" else places[::2]:
        monkeypatch.setattr(event_plan, "SLICE_EVENTS", slice_events)
        monkeypatch.setattr(event_publication, "MOST_SLICES", most_slices)
        monkeypatch.setattr(fast_pass, "FEW_EVENTS", few)
        world = Visits(spark, tmp_path / f"{slice_events}-{few}", searches.result("r_v1", answers, reads))
        for part in (written[:60], written[60:]):
            world.add(part)
            world.keep()
        found.append([world.found(which) for which in range(len(world.result.event_answers))])
    check(world)
    assert all(rows == found[0] for rows in found)


@pytest.mark.parametrize(("kind", "then"), [("outcomes", "quarantine"), ("one topic", "drop")])
def test_late_records_are_left_out(kind: str, then: Remedy, spark: SparkSession, tmp_path: Path) -> None:
    answers, reads = ANSWERS[kind]
    for topic in (searches.SEARCHES, searches.CLICKS):
        topic.MAX_AHEAD = "2 minutes"
    try:
        world = Visits(spark, tmp_path, searches.result("r_v1", answers, reads, late=Late("2 minutes", then)))
        world.add(searches.log(7))
        world.keep(40)
        check(world, then)
    finally:
        for topic in (searches.SEARCHES, searches.CLICKS):
            del topic.MAX_AHEAD
