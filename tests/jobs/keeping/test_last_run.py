"""How the last run of a result ended, and what is said of it. A process with Spark: tests/cluster/test_stopped.py."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.admin import run_end
from jobs.keeping import last_run, locks
from jobs.keeping.last_run import RunEnd
from jobs.run import Places, Refused, Run
from tests.jobs.admin import command

NAME = "rides_v1"


def a_run(places: Places, **more: Any) -> Run:
    return Run(None, places, **more)  # type: ignore[arg-type]


@pytest.fixture
def ledger_folder(places: Places) -> Path:
    """The folder of a ledger that is there."""
    folder = Path(places.table(f"{NAME}_ledger"))
    (folder / "_delta_log").mkdir(parents=True)
    return folder


@pytest.mark.usefixtures("ledger_folder")
def test_a_run_that_comes_to_its_end(places: Places) -> None:
    begun = datetime.now(UTC)
    with last_run.record(a_run(places), NAME):
        at_work = last_run.read(places, NAME)
    ended = last_run.read(places, NAME)
    assert at_work and at_work.end is None and at_work.end_time is None
    assert ended and (ended.end, ended.error) == (RunEnd.DONE, None)
    assert (ended.host, ended.process) == (socket.gethostname(), os.getpid())
    assert ended.end_time and begun <= ended.start_time <= ended.end_time <= datetime.now(UTC)
    assert run_end.text(places, NAME) == f"done at {ended.end_time:%Y-%m-%d %H:%M:%S} UTC"
    assert run_end.trouble(places, NAME) is None and run_end.examine(places, NAME) is None


@pytest.mark.usefixtures("ledger_folder")
def test_a_run_that_fails_says_why_without_values(places: Places) -> None:
    with pytest.raises(RuntimeError), last_run.record(a_run(places), NAME):
        raise RuntimeError("java.io.IOException: No space left on device: secret")
    ended = last_run.read(places, NAME)
    assert ended and ended.end is RunEnd.FAILED
    assert ended.error == "the disk is full. Make room and run again: it goes on where the tables stand."
    found = run_end.examine(places, NAME)
    assert found and found.wrong and found.what.endswith(f" UTC: {ended.error}")
    assert found.what.startswith("the last run failed at ") and "run its job" in found.remedy


@pytest.mark.usefixtures("ledger_folder")
@pytest.mark.parametrize(("continuous", "end"), [(None, RunEnd.STOPPED), ("10 seconds", RunEnd.DONE)])
def test_a_run_that_is_asked_to_stop(places: Places, continuous: str | None, end: RunEnd) -> None:
    run = a_run(places, continuous=continuous)
    with last_run.record(run, NAME):
        run.stop.ask(15)
        run.stop.obey()
    ended = last_run.read(places, NAME)
    assert ended and ended.end is end
    assert run_end.trouble(places, NAME) is None


@pytest.mark.usefixtures("ledger_folder")
def test_a_run_that_is_killed_has_begun_and_not_ended(places: Places) -> None:
    killed = last_run.record(a_run(places), NAME)
    killed.__enter__()  # and no end is ever written
    with locks.exclusive_change(places.checkpoints, NAME):
        assert str(run_end.text(places, NAME)).startswith("running since ")
        assert run_end.trouble(places, NAME) is None
    words = run_end.trouble(places, NAME)
    assert words and words.endswith(f"did not end: process {os.getpid()} on {socket.gethostname()} was killed")
    found = run_end.examine(places, NAME)
    assert found and not found.wrong, "the next run goes on by itself"


def test_of_a_run_on_another_machine_one_cannot_tell(places: Places, ledger_folder: Path) -> None:
    begun = {"host": "elsewhere", "process": 7, "start_time": "2026-01-02T03:04:05+00:00"}
    open_end = {"end_time": None, "end": None, "error": None}
    (ledger_folder / last_run.FILE).write_text(json.dumps(begun | open_end))
    assert run_end.text(places, NAME) == (
        "began at 2026-01-02 03:04:05 UTC and did not end: process 7 on elsewhere was killed, or is still at work there"
    )


def test_a_first_run_is_written_down_when_it_has_a_ledger(places: Places) -> None:
    with last_run.record(a_run(places), NAME) as record_begin:
        assert not Path(places.tables).exists(), "a first run that is refused leaves nothing behind"
        Path(places.table(f"{NAME}_ledger"), "_delta_log").mkdir(parents=True)
        assert last_run.read(places, NAME) is None
        record_begin()
        at_work = last_run.read(places, NAME)
        assert at_work and at_work.end_time is None
    with pytest.raises(Refused), last_run.record(a_run(places), "other_v1"):
        raise Refused("no")
    assert last_run.read(places, "other_v1") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"host": "h"}'])
def test_a_damaged_file_is_as_good_as_none(places: Places, ledger_folder: Path, text: str) -> None:
    (ledger_folder / last_run.FILE).write_text(text)
    assert last_run.read(places, NAME) is None and run_end.text(places, NAME) is None


@pytest.mark.usefixtures("ledger_folder")
def test_status_shows_it(places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "places.toml"
    file.write_text('archive = "archive"\ntables = "tables"\ncheckpoints = "checkpoints"\n')
    with pytest.raises(RuntimeError), last_run.record(a_run(places), NAME):
        raise RuntimeError("No space left on device")
    assert command.run("status", "--places", str(file)) == 1
    assert f"{NAME}: wrong: the last run failed at " in capsys.readouterr().out


def test_housekeeping_of_the_ledger_leaves_it_alone(places: Places) -> None:
    path = places.table(f"{NAME}_ledger")
    for number in (1, 2):
        write_deltalake(path, pa.table({"n": [number]}), mode="overwrite")
    Path(path, "orphan.parquet").touch()
    with last_run.record(a_run(places), NAME):
        pass
    removed = DeltaTable(path).vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert "orphan.parquet" in removed and len(removed) == 2
    assert last_run.read(places, NAME) is not None
