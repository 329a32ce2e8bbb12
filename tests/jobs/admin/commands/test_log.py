"""headrace log: the topics of the archive and of a broker that is away, and the partitions of one topic."""

import json
from pathlib import Path

import pytest

from jobs.log.kafka import patience
from jobs.running.places import Places
from tests.jobs.admin.command import run
from tests.jobs.admin.ledgers import fill
from tests.jobs.log.kafka.silent_brokers import away


def cells(shown: str) -> list[list[str]]:
    lines = [line for line in shown.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


def test_the_topics_of_the_archive(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("log") == 0
    assert f"no topics in {places.archive} yet: fill one with" in capsys.readouterr().out
    fill(places, "searches", {0: 60, 1: 150})
    fill(places, "clicks", {0: 30}, count=2)
    assert run("log") == 0
    assert cells(capsys.readouterr().out) == [
        ["clicks", "archive", "2", "2", "0 to 2", "2024-05-01 12:29:00", "2024-05-01 12:30:00", "for ever"],
        ["searches", "archive", "2", "8", "4", "2024-05-01 12:57:00", "2024-05-01 14:30:00", "for ever"],
    ]
    assert run("log", "--json") == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["topic"], first["home"], first["end_offsets"]) == ("clicks", "archive", {"0": 2, "1": 0})
    assert run("log", "searches", "--json") == 0
    last = json.loads(capsys.readouterr().out.splitlines()[1])
    assert (last["partition"], last["records"], last["last_time"]) == (1, 4, "2024-05-01T14:30:00+00:00")


def test_a_misspelled_topic_is_not_proposed_to_be_made(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(places, "departures", {0: 60})
    assert run("log", "depatures") == 1
    said = capsys.readouterr().err
    assert "topic depatures has no records in" in said
    assert "did you mean departures? There are departures; `headrace produce depatures FILE` fills a new one." in said
    assert run("log", "xyz") == 1
    assert ": there are departures; " in capsys.readouterr().err


def test_the_archive_is_shown_when_the_broker_is_away(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.5)
    fill(places, "clicks", {0: 30})
    with away("silent") as servers:
        with (laptop / "conf" / "local.toml").open("a") as file:
            file.write(f'\n[kafka]\nservers = "{servers}"\n')
        assert run("log") == 1
    said = capsys.readouterr()
    assert [row[:2] for row in cells(said.out)] == [["clicks", "archive"]]
    asking, fault = said.err.splitlines()
    assert asking.startswith(f"asking the broker {servers}") and f"{servers} does not answer" in fault
