"""promote, rollback and retire, over results that the test keeps."""

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.admin.versions import promotion, retirement
from jobs.keeping import beginning, ledger, locks
from jobs.lake import pointers
from jobs.publishing import results
from jobs.running.errors import Mistake, Refused
from jobs.running.places import Places
from tests.jobs.admin.versions.kept_results import KeptResult, planes
from tests.pages import ROOT

LATER = timedelta(days=7, minutes=1)


@pytest.fixture(autouse=True)
def versions(places: Places) -> None:
    """Two versions of a result, which have published as much."""
    for version, seats in (("v1", 1), ("v2", 2)):
        KeptResult(places, f"planes_{version}").publish({0: 5}, _=planes(a=seats), top=planes(b=seats))


def seats(places: Places, name: str) -> list[int]:
    return list(results.pandas(places, name)["seats"])


def test_readers_follow_to_and_fro(places: Places) -> None:
    promotion.promote(places, "planes", "planes_v1")
    assert (seats(places, "planes"), seats(places, "planes_top")) == ([1], [1])
    switch = promotion.promote(places, "planes", "planes_v2")
    assert (seats(places, "planes"), seats(places, "planes_top")) == ([2], [2])
    assert (switch.from_result, switch.to_result, switch.offsets) == ("planes_v1", "planes_v2", {"planes": {0: 5}})
    assert "@" in switch.switched_by and abs(switch.switched_time - datetime.now(UTC)) < timedelta(minutes=5)
    promotion.rollback(places, "planes")
    assert (seats(places, "planes"), seats(places, "planes_top")) == ([1], [1])
    assert [each.kind for each in pointers.read(places).of_name("planes")] == ["promote", "promote", "rollback"]


def test_a_rollback_with_nothing_before_is_refused(places: Places) -> None:
    with pytest.raises(Refused, match=r"no name planes in .*; there are none"):
        promotion.rollback(places, "planes")
    promotion.promote(places, "planes", "planes_v1")
    with pytest.raises(Refused, match="planes points to planes_v1, and there is no result before it"):
        promotion.rollback(places, "planes")
    with pytest.raises(Refused, match=r"no name boats in .*; there are planes"):
        promotion.rollback(places, "boats")


def test_what_is_no_result_with_rows_is_refused(places: Places) -> None:
    with pytest.raises(Refused, match=r"there is no result planes_v3 .* Results there: planes_v1, planes_v2"):
        promotion.promote(places, "planes", "planes_v3")
    ledger.create(places, "empty_v1")
    ledger.write(places, "empty_v1", ledger.Row(1, "start", 1, -1))
    with pytest.raises(Refused, match="empty_v1 has published nothing yet"):
        promotion.promote(places, "planes", "empty_v1")
    promotion.promote(places, "planes", "planes_v1")
    with pytest.raises(Refused, match="planes is a name itself; it points to planes_v1"):
        promotion.promote(places, "boats", "planes")
    with pytest.raises(Refused, match="points to planes_v1 already"):
        promotion.promote(places, "planes", "planes_v1")
    assert pointers.read(places).targets == {"planes": "planes_v1"}


def test_a_result_that_has_read_less_is_refused(places: Places) -> None:
    promotion.promote(places, "planes", "planes_v1")
    KeptResult(places, "planes_v3").publish({0: 4}, _=planes(a=3))
    with pytest.raises(
        Refused, match="planes_v3 has published topic planes, partition 0 up to offset 4, and planes_v1"
    ):
        promotion.promote(places, "planes", "planes_v3")
    promotion.promote(places, "planes", "planes_v3", may_be_behind=True)
    assert seats(places, "planes") == [3]


NO_NAMES = ("", ".", "..", "../planes", "a/b", "a b", "a\nb", "a'b", 'a"b', "é", "x_ledger", "_pointers", "a\x00", "*")


def test_hostile_names_are_refused_in_one_line(places: Places) -> None:
    promotion.promote(places, "planes", "planes_v1")
    before = set(Path(places.tables).parent.rglob("*"))
    attempts = (
        lambda name: promotion.promote(places, name, "planes_v1"),
        lambda name: promotion.promote(places, "planes", name),
        lambda name: promotion.rollback(places, name),
        lambda name: retirement.retire(places, name, "7 days"),
        lambda name: retirement.plan(places, name, "7 days"),
    )
    for name, attempt in itertools.product(NO_NAMES, attempts):
        with pytest.raises(Refused) as refused:
            attempt(name)
        assert "\n" not in str(refused.value) and str(refused.value)
    assert set(Path(places.tables).parent.rglob("*")) == before


@pytest.mark.parametrize("name", ["planes_v1", "planes_v2_top"])
def test_the_name_of_a_table_is_no_name_for_others(places: Places, name: str) -> None:
    with pytest.raises(Refused, match=f"{name}.* is there already, so readers cannot use"):
        promotion.promote(places, name, "planes_v2" if name == "planes_v1" else "planes_v1")


def test_names_that_would_mean_two_tables_are_refused(places: Places) -> None:
    promotion.promote(places, "planes", "planes_v1")
    with pytest.raises(Refused, match="readers use planes_top for the table planes_v1_top already"):
        promotion.promote(places, "planes_top", "planes_v2")
    promotion.promote(places, "boats_top", "planes_v2")
    with pytest.raises(Refused, match="boats_top is a name already"):
        promotion.promote(places, "boats", "planes_v1")
    KeptResult(places, "ships_top_v1").publish({0: 1}, _=planes(a=1))
    KeptResult(places, "ships_top").publish({0: 1}, _=planes(a=1))
    with pytest.raises(Refused, match="ships_top is there already"):
        promotion.promote(places, "ships", "planes_v1")


def test_of_two_at_once_one_wins_or_they_follow_each_other(places: Places) -> None:
    promotion.promote(places, "planes", "planes_v1")
    KeptResult(places, "planes_v3").publish({0: 5}, _=planes(a=3))

    def attempt(result: str) -> str:
        try:
            return promotion.promote(places, "planes", result).to_result
        except Refused as refused:
            assert "somebody else" in str(refused)
            return ""

    with ThreadPoolExecutor(2) as pool:
        won = list(filter(None, pool.map(attempt, ["planes_v2", "planes_v3"])))
    known = pointers.read(places)
    assert won and len(known.switches) == 1 + len(won)
    assert known.targets["planes"] in won


def switch_away(places: Places) -> datetime:
    """planes_v1 was read by a name, and is so no more; returns until when."""
    promotion.promote(places, "planes", "planes_v1")
    return promotion.promote(places, "planes", "planes_v2").switched_time


def test_what_readers_use_is_not_retired(places: Places) -> None:
    with pytest.raises(Refused, match="no name has ever pointed to planes_v1"):
        retirement.retire(places, "planes_v1", "7 days")
    until = switch_away(places)
    with pytest.raises(Refused, match="planes points to planes_v2, so readers use it"):
        retirement.retire(places, "planes_v2", "1 second", until + LATER)
    with pytest.raises(Refused, match="planes is a name, which points to planes_v2"):
        retirement.retire(places, "planes", "1 second", until + LATER)
    with pytest.raises(
        Refused, match=rf"less than 7 days ago: it may be retired from {until + timedelta(days=7):%Y-%m-%d}"
    ):
        retirement.retire(places, "planes_v1", "7 days", until + timedelta(days=6, hours=23))
    with pytest.raises(Mistake, match="is not a duration"):
        retirement.retire(places, "planes_v1", "soon", until + LATER)
    assert seats(places, "planes_v1") == [1]


def test_what_is_retired_is_gone_and_the_rest_stays(places: Places) -> None:
    now = switch_away(places) + LATER
    planned = retirement.plan(places, "planes_v1", "7 days", now)
    assert {Path(path).name for path in planned.tables} == {"planes_v1", "planes_v1_top"}
    assert seats(places, "planes_v1") == [1], "a plan removes nothing"
    assert retirement.retire(places, "planes_v1", "7 days", now) == planned
    left = {path.name for path in Path(places.tables).iterdir()}
    assert left == {"_pointers", "planes_v2", "planes_v2_top", "planes_v2_ledger"}
    assert [path.name for path in Path(places.checkpoints).iterdir()] == ["planes_v2"]
    assert seats(places, "planes") == [2]
    with pytest.raises(Refused, match="there is no result planes_v1"):
        promotion.rollback(places, "planes")
    with pytest.raises(Refused, match=r"there is no result planes_v1 in .*: nothing to retire"):
        retirement.retire(places, "planes_v1", "7 days", now)


def test_a_result_that_is_built_anew_can_be_promoted_again(places: Places) -> None:
    retirement.retire(places, "planes_v1", "7 days", switch_away(places) + LATER)
    KeptResult(places, "planes_v1").publish({0: 5}, _=planes(a=7))
    promotion.rollback(places, "planes")
    assert seats(places, "planes") == [7]


def test_a_result_that_runs_is_not_retired(places: Places) -> None:
    now = switch_away(places) + LATER
    with locks.exclusive_change(places.checkpoints, "planes_v1"):
        with pytest.raises(Refused, match=r"planes_v1 is running \(process"):
            retirement.plan(places, "planes_v1", "7 days", now)
        with pytest.raises(Refused, match="planes_v1 is running already"):
            retirement.retire(places, "planes_v1", "7 days", now)
    assert seats(places, "planes_v1") == [1]


def test_a_table_of_somebody_else_stays(places: Places) -> None:
    now = switch_away(places) + LATER
    made = ledger.last(places, "planes_v1")
    assert made
    other = made.next("batch", tables=made.tables | {"planes_v2": {"id": "another", "version": 1}})
    ledger.write(places, "planes_v1", replace(other, end_offsets={0: 5}))
    removal = retirement.retire(places, "planes_v1", "7 days", now)
    assert removal.foreign == (places.table("planes_v2"),)
    assert seats(places, "planes_v2") == [2]


KILLED = """
import os, signal, sys
from datetime import datetime
from jobs.admin.versions import retirement
from jobs.running.places import Places

steps = []
def step(path):
    steps.append(path)
    if len(steps) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
folder = sys.argv[1]
places = Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")
retirement.retire(places, "planes_v1", "7 days", datetime.fromisoformat(sys.argv[3]), step)
"""


@pytest.mark.parametrize("steps", [1, 3, 4])
def test_killed_half_way_the_next_call_ends_it(places: Places, steps: int) -> None:
    now = switch_away(places) + LATER
    folder = str(Path(places.tables).parent)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", KILLED, folder, str(steps), now.isoformat()], env=environment)
    assert killed.returncode == -9
    assert "planes_v1" in ledger.results(places), "its ledger is removed last"
    for attempt in (
        lambda: promotion.promote(places, "old", "planes_v1"),
        lambda: promotion.rollback(places, "planes"),
    ):
        with pytest.raises(Refused, match="planes_v1 is retired: its tables are removed"):
            attempt()
    assert seats(places, "planes") == [2]
    assert retirement.plan(places, "planes_v1", "7 days").begun, "the time is over, whatever the clock says"
    retirement.retire(places, "planes_v1", "7 days")
    assert not [path for path in Path(places.tables).iterdir() if path.name.startswith("planes_v1")]
    assert not [path for path in Path(places.checkpoints).iterdir() if path.name.startswith("planes_v1")]
    assert [each.kind for each in pointers.read(places).switches] == ["promote", "promote", "retire"]


def test_half_a_table_and_half_a_ledger_are_removed_by_the_next_call(places: Places) -> None:
    now = switch_away(places) + LATER

    def stop(path: str) -> None:
        if path.endswith("planes_v1_top"):
            next(Path(path, "_delta_log").glob("*00.json")).unlink()
            raise InterruptedError

    with pytest.raises(InterruptedError):
        retirement.retire(places, "planes_v1", "7 days", now, stop)
    Path(places.tables, "planes_v1_ledger-removed").mkdir()
    retirement.retire(places, "planes_v1", "7 days", now)
    assert not [path for path in Path(places.tables).iterdir() if path.name.startswith("planes_v1")]
    Path(places.tables, "planes_v1_ledger-removed").mkdir()
    assert retirement.plan(places, "planes_v1", "7 days", now).ledger.endswith("planes_v1_ledger-removed")
    retirement.retire(places, "planes_v1", "7 days", now)
    assert not [path for path in Path(places.tables).iterdir() if path.name.startswith("planes_v1")]


def test_a_first_run_cannot_take_the_name_of_readers(places: Places) -> None:
    from types import SimpleNamespace

    promotion.promote(places, "planes", "planes_v1")
    first = ledger.Row(1, "start", 1, -1)
    with pytest.raises(Refused, match="readers already use the name planes for the table planes_v1"):
        beginning.begin(places, SimpleNamespace(name="planes"), [], first)  # type: ignore[arg-type]
    assert not Path(places.tables, "planes_ledger").exists()
