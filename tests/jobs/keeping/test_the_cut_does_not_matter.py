"""The law: however the log is cut into batches, replayed or interrupted, the tables come out the same."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.answers.result import Late, Reads, Result
from jobs.decisions.membership import Membership
from jobs.keeping import fast_pass
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.checks import answers, check_common, check_panes, check_seen, check_without_late
from tests.jobs.keeping.laws import law
from tests.jobs.keeping.readings import ODD, PANES, SEEN, Record
from tests.jobs.keeping.world import GOOD, LOG, World

MANY_KEYS = readings.log(seed=9, each=24, keys=40)
FORCED = altered(SEEN, name="forced_v1", membership=Membership("1 day", "12 hours", 1, 0.9))
"""Filters of one word, which often say yes to a key that they have never met."""


NEAR = SimpleNamespace(**vars(readings.TOPIC) | {"MAX_AHEAD": "1 hour"})
DROPPED = replace(PANES, name="dropped_v1", reads=Reads(NEAR, readings.transform), late=Late("2 hours", "drop"))
WAITING = replace(PANES, name="waiting_v1", reads=Reads(NEAR, readings.transform), late=Late("2 hours", "quarantine"))


@cache
def answers_of_one_batch(spark: SparkSession) -> dict[tuple[int, int], bool | None]:
    """What FORCED says of the log of many keys when it reads it at once."""
    with TemporaryDirectory() as folder:
        whole = World(spark, Path(folder), FORCED)
        whole.write(MANY_KEYS)
        whole.keep()
        return answers(whole)


def check_forced(world: World) -> None:
    """False positives, and so every answer, are those of one batch; they are there, and no answer is wrongly no."""
    check_common(world, timedelta(hours=6))
    truth, found = readings.seen(world.written, timedelta(hours=6)), answers(world)
    assert found.keys() == truth.keys()
    assert all(found[place] is answer for place, answer in truth.items() if answer is not False)
    assert found == answers_of_one_batch(world.spark)
    assert sum(bool(answer) for answer in found.values()) > sum(bool(answer) for answer in truth.values())


CHECKS: dict[str, tuple[Result, list[Record], Callable[[World], None]]] = {
    "panes": (ODD, LOG, partial(check_panes, by=("site", "cell"))),
    "seen": (SEEN, LOG, check_seen),
    "forced": (FORCED, MANY_KEYS, check_forced),
    "dropped": (DROPPED, LOG, partial(check_without_late, done="dropped")),
    "waiting": (WAITING, LOG, partial(check_without_late, done="quarantined")),
}

cuts = st.lists(st.integers(1, len(LOG) - 1), min_size=0, max_size=2, unique=True).map(sorted)
accidents = st.lists(
    st.sampled_from(
        [
            "",
            "replay",
            "lose",
            "before quarantine",
            "after panes",
            "after stragglers",
            "after rows",
            "before windows",
            "after filters",
            "before ledger",
            "after windows",
            "after ledger",
        ]
    ),
    min_size=3,
    max_size=3,
)


@pytest.mark.parametrize("kind", ["panes", "seen", "forced", "dropped", "waiting"])
@law
@example(cuts=[15, 28], accidents=["lose", "replay", "before ledger"], size=29, order=3, few=10)
@given(cuts=cuts, accidents=accidents, size=st.sampled_from([13, 29, 1000]), order=st.integers(0, 9),
       few=st.sampled_from([0, 10, 1000]))  # fmt: skip
def test_any_cut_any_accident_any_order_of_partitions(
    kind: str, cuts: list[int], accidents: list[str], size: int, order: int, few: int, spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    """A batch of not more than `few` records is read by the driver, a longer one by tasks."""
    result, records, check = CHECKS[kind]
    world = World(spark, tmp_path_factory.mktemp("cut"), result)
    written = readings.interleaved(records, order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast_pass, "FEW_RECORDS", few)
        for first, after, accident in zip([0, *cuts], [*cuts, len(records)], accidents, strict=False):
            world.write(written[first:after])
            if world.keep(size, crash=accident):
                {"replay": world.replay_batch, "lose": world.lose_checkpoint}.get(accident, lambda: None)()
        world.keep(size)
    check(world)


def only_good_after(first: list[Record], rest: list[Record]) -> list[Record]:
    """The good ones of the rest, with the offsets that come after the first."""
    ends = Counter(record.partition for record in first)
    return [record._replace(offset=ends[record.partition] + record.offset) for record in readings.only_good(rest)]


@pytest.mark.parametrize("kind", ["panes", "seen"])
def test_a_crash_at_any_step_changes_nothing(kind: str, spark: SparkSession, tmp_path: Path) -> None:
    """Each run meets a crash after another step, then more of the log comes; the next run goes on, up to its own crash.
    Before a step the tables are as after the one before it.
    """
    result, _, check = CHECKS[kind]
    steps = {"panes": ["quarantine", "panes", "windows", "ledger"], "seen": ["quarantine", "rows", "filters", "ledger"]}
    points = ["before quarantine", *(f"after {step}" for step in steps[kind])]
    world = World(spark, tmp_path, result)
    mixed = readings.interleaved(LOG, 3)
    assert any(record.bad for record in mixed[:12])
    written = mixed[:12] + only_good_after(mixed[:12], mixed[12:])
    ends = [12, *range(18, 33, 6), len(written)]
    crashed = []
    for point, first, after in zip(points, [0, *ends], ends, strict=False):
        world.write(written[first:after])
        if not world.keep(crash=point):
            crashed.append(point)
    assert crashed == points
    world.keep()
    check(world)


@pytest.mark.parametrize(("lost", "begun"), [("lose_checkpoint", False), ("forget_plan", True)])
def test_a_batch_that_only_the_tables_know_is_read_again_with_what_came_later(
    lost: str, begun: bool, spark: SparkSession, tmp_path: Path
) -> None:
    world = World(spark, tmp_path, PANES)
    if begun:
        world.write(GOOD[:10])
        world.keep()
    world.write(GOOD[10 if begun else 0 : 20])
    assert not world.keep(crash="after panes")
    getattr(world, lost)()
    world.write(GOOD[20:])
    world.keep()
    check_panes(world)


def test_a_continuous_run_publishes_its_windows_as_it_goes_though_the_last_run_stopped_while_publishing(
    spark: SparkSession, tmp_path: Path
) -> None:
    world = World(spark, tmp_path, PANES)
    world.write(GOOD[:10])
    assert not world.keep(crash="after windows")
    world.write(GOOD[10:])
    world.keep_running(batch=10, publish_every="1 second")
    check_panes(world)
    batches = [row for row in world.rows("_ledger") if row["kind"] == "batch"]
    assert any(row["published_sequence"] == row["sequence"] for row in batches)


def test_the_checks_notice_a_lost_and_a_doubled_record(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, PANES)
    world.write(LOG)
    world.keep()
    check_panes(world)
    good = next(r for r in LOG if r.good and r.good["site"] != "test")
    for wrong in ([r for r in LOG if r != good], [*LOG, good]):
        world.written = wrong
        with pytest.raises(AssertionError):
            check_panes(world)
    assert json.loads(good.value or b"")["site"] in ("north", "south")
