"""headrace compare, promote, rollback and retire, as they are typed, and what headrace status says of names."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.lake import pointers
from jobs.lake.pointers import Switch
from jobs.publishing import results
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests.jobs.admin.command import run
from tests.jobs.admin.versions.kept_results import KeptResult, places_file, planes

SECRET = "N102\x1b[31m"
"""An id whose sign would colour the terminal."""


@pytest.fixture(autouse=True)
def laptop(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current directory with two versions of a result."""
    places_file(places, tmp_path)
    monkeypatch.chdir(tmp_path)
    for version, seats in (("v1", 1_000_000), ("v2", 2_500_000)):
        KeptResult(places, f"planes_{version}").publish({0: 5}, _=planes(**{"a": 7, SECRET: seats, version: 1}))


def output(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, with single spaces."""
    return " ".join(capsys.readouterr().out.split())


def test_compare_counts_and_shows_no_values_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", "planes_v1", "planes_v2") == 1
    said = output(capsys)
    assert "at equal offsets: planes to 0: 5 (ledger row 2 of planes_v1, row 2 of planes_v2)" in said
    assert "planes_v1: 3 rows; planes_v2: 3 rows; by id missing 1, added 1, different 1" in said
    assert "seats │ 1 │ 1,500,000" in said and said.endswith("different")
    assert "N102" not in said
    assert run("compare", "planes_v1", "planes_v2", "--show-keys", "2") == 1
    said = output(capsys)
    assert r"different: id=N102\x1b[31m" in said and "\x1b" not in said
    assert "in planes_v1 only: id=v1" in said and "in planes_v2 only: id=v2" in said


def test_compare_of_equal_results_ends_with_0(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    KeptResult(places, "planes_v3").publish({0: 5}, _=planes(**{"a": 7, SECRET: 1_000_000, "v1": 1}))
    assert run("promote", "planes", "--to", "planes_v1") == 0
    assert run("compare", "planes", "planes_v3") == 0
    assert output(capsys).endswith("missing 0, added 0, different 0 equal")
    assert run("compare", "planes", "planes_v1") == 1
    assert "both are planes_v1" in capsys.readouterr().err


def test_compare_names_columns_of_one_side(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    rows = planes(a=7).append_column("wings", pa.array([2]))
    KeptResult(places, "planes_v3").publish({0: 5}, _=rows)
    assert run("compare", "planes_v1", "planes_v3", "--key", "id", "--tolerance", "0") == 1
    assert "columns of planes_v3 alone: wings" in output(capsys)


def test_a_name_goes_to_and_fro_and_status_shows_it(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("promote", "planes", "--to", "planes_v1") == 0
    assert output(capsys) == "planes points to planes_v1, a new name"
    assert run("promote", "planes", "--to", "planes_v2") == 0
    assert output(capsys) == "planes points to planes_v2, instead of planes_v1"
    assert run("status") == 1, "there is no log"
    said = output(capsys)
    assert "planes points to planes_v2 since 20" in said and "; before: planes_v1" in said
    assert run("rollback", "planes") == 0
    assert output(capsys) == "planes points to planes_v1 again, instead of planes_v2"
    assert "v1" in set(results.pandas(places, "planes")["id"])
    assert run("promote", "planes_v1", "--to", "planes_v2") == 1
    assert "is there already, so readers cannot use planes_v1" in capsys.readouterr().err


def test_a_result_that_somebody_took_away_is_noticed(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    run("promote", "planes", "--to", "planes_v1")
    shutil.rmtree(places.table("planes_v1_ledger"))
    shutil.rmtree(places.table("planes_v1"))
    assert run("status") == 1, "there is no log"
    assert "planes points to planes_v1, which is GONE, since" in output(capsys)
    assert run("status", "planes") == 1
    assert "no result planes_v1, to which planes points, in" in capsys.readouterr().err
    with pytest.raises(Refused, match=r"no table planes in .* \(the name points to planes_v1\)"):
        results.pandas(places, "planes")


def test_both_deliver_to_one_topic(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    for version in ("v3", "v4"):
        more = {"delivered_sequence": {"topic:planes_now": 2, f"file:{version}": 2}}
        KeptResult(places, f"planes_{version}", more=more).publish({0: 5}, _=planes(a=1))
    assert run("promote", "planes", "--to", "planes_v3") == 0
    assert run("promote", "planes", "--to", "planes_v4") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == ["both deliver to topic:planes_now: stop the job of planes_v3, or take the delivery out of it"]


def test_what_readers_use_or_have_left_just_now_is_not_retired(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    run("promote", "planes", "--to", "planes_v1")
    run("promote", "planes", "--to", "planes_v2")
    there = sorted(Path(places.tables).iterdir())
    assert run("retire", "planes_v1", "--yes") == 1
    assert "less than 7 days ago: it may be retired from" in capsys.readouterr().err
    assert run("retire", "planes_v1", "--after", "1 nanosecond") == 1
    assert "is not a duration" in capsys.readouterr().err
    assert run("retire", "planes_v2", "--dry-run") == 1
    assert "planes points to planes_v2, so readers use it" in capsys.readouterr().err
    assert sorted(Path(places.tables).iterdir()) == there


def test_what_readers_have_left_long_ago_is_shown_and_removed(
    places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    for days, to in ((30, "planes_v1"), (29, "planes_v2")):
        before, then = pointers.read(places), datetime.now(UTC) - timedelta(days=days)
        row = Switch("promote", "planes", before.targets.get("planes"), to, "id", switched_time=then)
        pointers.append(places, before, row)
    assert run("retire", "planes_v1", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[0] == f"would be removed: {places.table('planes_v1')}"
    assert run("retire", "planes_v1") == 1, "nobody said yes"
    assert Path(places.table("planes_v1_ledger")).exists()
    capsys.readouterr()
    assert run("retire", "planes_v1", "--yes") == 0
    assert output(capsys) == "planes_v1: 1 tables, its checkpoints and its ledger were removed"
    assert not Path(places.table("planes_v1_ledger")).exists()
