"""headrace doctor, asked whether numbers are as fresh as somebody has promised."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.keeping import ledger
from jobs.running.places import Places
from tests.jobs import visits
from tests.jobs.admin.command import run
from tests.jobs.admin.ledgers import keep

NAME = "visits_v1"


def published(places: Places, read: datetime | None = None) -> None:
    """A result that has published all it has read: 20 of the 60 visits of 2024 in the log, one each 7 minutes, or
    records up to `read`.
    """
    keep(places, NAME)
    visits.write(places, 0, 60)
    last = ledger.last(places, NAME)
    assert last
    row = last.next("publish", published_sequence=last.sequence + 1)
    ledger.write(places, NAME, row)
    if read is not None:
        ledger.write(places, NAME, row.next("publish", record_time=read, published_sequence=row.sequence + 1))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    """The exit code of doctor, and what it says that somebody has to do something about."""
    code = run("doctor", *arguments)
    return code, [line for line in capsys.readouterr().out.splitlines() if ": note: " not in line]


def test_a_lag_that_is_longer_than_promised(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """40 visits are unread: 4 hours 40 minutes."""
    published(places)
    assert said(capsys, "--max-lag", "5 hours") == (0, [])
    what = "it is 4.7 h behind the log, more than 4 hours -> run the job of visits_v1, or run it more often"
    assert said(capsys, "--max-lag", "4 hours") == (1, [f"{NAME}: BEHIND: {what}"])


def test_numbers_that_are_older_than_promised(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    published(places, datetime.now(UTC) - timedelta(hours=3))
    assert said(capsys, "--max-age", "4 hours", "--max-lag", "1 second") == (0, [])
    code, [line] = said(capsys, NAME, "--max-age", "2 hours")
    assert (code, line.partition(" -> ")[0]) == (
        1,
        f"{NAME}: BEHIND: the newest record in its numbers is 3.0 h old, older than 2 hours",
    )


def test_as_json(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    published(places)
    code, [line] = said(capsys, "--json", "--max-lag", "4 hours")
    found = json.loads(line)
    assert (code, found["name"], found["state"]) == (1, NAME, "behind")
    first = found["findings"][0]
    assert (first["state"], first["wrong"]) == ("behind", True)
    assert {each["state"] for each in found["findings"][1:]} == {"note"}


def test_what_is_no_length_of_time(laptop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "--max-age", "2 hrs") == 1
    said = capsys.readouterr().err
    assert said.startswith('headrace: --max-age: "2 hrs" is not a duration: write a positive whole number')
    assert said.count("\n") == 1
