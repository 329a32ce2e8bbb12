"""headrace status, over ledgers that the test wrote row by row."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jobs.admin import standing, terminal, watching
from jobs.keeping import ledger
from jobs.log.kafka import patience
from jobs.running.places import Places
from tests.jobs import visits
from tests.jobs.admin.command import run
from tests.jobs.admin.ledgers import HOUR, NOON, joined, keep, sketch
from tests.jobs.log.kafka.silent_brokers import KINDS, away


def test_facts_of_a_result_add_up_its_ledger_and_its_quarantine(places: Places) -> None:
    keep(places, "visits_v1")
    visits.write(places, 0, 25)
    found = standing.read(places, "visits_v1")
    assert isinstance(found, standing.Facts)
    assert (found.records, found.waiting, found.requeued) == (20, 3, 1)
    assert (found.out_of_order, found.late, found.unpublished) == (6, 2, 1)
    assert found.published_state == "1 batch behind"
    # 16 good records when they were read: 10 in order, 5 a minute late, 1 two hours
    assert found.lateness == pytest.approx((0.0, 7200.0, 7200.0), rel=0.01)
    assert found.notes == ("the checkpoint is missing",)
    assert found.reasons == [("missing_field", "site", 1, 1), ("not_json", None, 2, 0)]
    ends = {partition: end for (_, partition), (_, end) in found.lag.offsets.items()}
    assert sum(end or 0 for end in ends.values()) == 25
    assert {place: read for place, (read, _) in found.lag.offsets.items()} == {("visits", 0): 11, ("visits", 1): 9}
    assert found.lag.records == sum(max(0, (ends[p] or 0) - {0: 11, 1: 9}[p]) for p in (0, 1))
    assert found.lag.seconds == pytest.approx(5 * 7 * 60, abs=1)
    assert {name: rows for name, rows, _, _ in found.tables} == {"visits_v1_quarantine": 4, "visits_v1_ledger": 5}


def test_a_result_that_has_read_and_published_all_has_no_lag(places: Places) -> None:
    keep(places, "visits_v1")
    last = ledger.last(places, "visits_v1")
    assert last
    visits.write(places, 0, 25)
    before = standing.read(places, "visits_v1")
    assert isinstance(before, standing.Facts)
    ends = {partition: end or 0 for (_, partition), (_, end) in before.lag.offsets.items()}
    row = last.next("batch", end_offsets=ends, published_sequence=last.sequence + 1)
    ledger.write(places, "visits_v1", row)
    found = standing.read(places, "visits_v1")
    assert isinstance(found, standing.Facts)
    assert (found.lag.records, found.lag.seconds, found.published_state) == (0, 0.0, "up to date")


def complete_words(capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    """What the overview says below the table of how complete joined_v1 is."""
    assert run("status") == code
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("joined_v1: complete ")]
    return line


def test_who_holds_a_result_back(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    """clicks/1 has the least stream time; its last record is of 12:30, the newest of all topics of 14:30."""
    joined(places)
    said = complete_words(capsys)
    assert said == "joined_v1: complete to 2024-05-01 12:04:00 UTC, held by clicks/1, silent for 2.0 h"
    assert run("status", "joined_v1") == 0
    shown = capsys.readouterr().out
    for words in (
        "searches, clicks",
        "clicks/1",
        "searches/0",
        "late 3",
        "2 corrected, 1 quarantined",
        "1 batch behind",
    ):
        assert words in shown
    assert "to 2024-05-01 12:04:00 UTC, held by clicks/1, silent for 2.0 h" in shown


def test_a_partition_with_unread_records_is_not_silent(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    joined(places, read=1)
    assert complete_words(capsys).endswith("held by clicks/1, which has 3 unread records")
    facts = standing.read(places, "joined_v1")
    assert isinstance(facts, standing.Facts)
    assert facts.lag.records == 3
    assert facts.lag.offsets["clicks", 1] == (1, 4)


def test_nobody_holds_back_what_was_set_or_where_the_silent_do_not_count(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """An idle partition at 12:02 does not count: complete time is later than its clock less what is allowed."""
    row = joined(places, clock=NOON + HOUR / 30)
    assert complete_words(capsys) == "joined_v1: complete to 2024-05-01 12:04:00 UTC"
    until = NOON + 3 * HOUR
    ledger.write(places, "joined_v1", row.next("complete", until_time=until, complete_time=until))
    said = complete_words(capsys)
    assert said == "joined_v1: complete to 2024-05-01 15:00:00 UTC, set by headrace complete"


def test_the_log_is_gone(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    joined(places)
    shutil.rmtree(places.archive)
    assert complete_words(capsys, code=1) == "joined_v1: complete to 2024-05-01 12:04:00 UTC, held by clicks/1"


def rows(shown: str) -> list[list[str]]:
    """The cells of a table of the overview."""
    lines = [line for line in shown.splitlines() if re.search(r"^│.* │$", line)]
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]


def test_the_overview_shows_as_many_columns_as_fit(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No name and no number is broken in two, and no line is longer than the terminal."""
    joined(places)
    keep(places, "visits_v1")
    shown = {}
    for width in (400, 200, 100, 80, 40):
        monkeypatch.setattr(terminal, "WIDTH", width)
        assert run("status") == 1
        shown[width] = [line for line in capsys.readouterr().out.splitlines() if not re.match(r"\w+: ", line)]
        assert max(map(len, shown[width])) <= width
    assert shown[400] == shown[200]
    joined_row = ["joined_v1", "behind", "16", "0", "0 s", "0", "3", "0 s", "-", "1 batch behind"]
    visits_row = ["visits_v1", "wrong", "20", "unknown", "unknown", "3", "2", "2.0 h", "0.004", "1 batch behind"]
    assert [row[:10] for row in rows("\n".join(shown[200]))] == [joined_row, visits_row]
    assert rows("\n".join(shown[80])) == [[*row[:7]] for row in (joined_row, visits_row)]
    assert [" ".join(line.split()) for line in shown[40][:4]] == ["joined_v1", "state behind", "records 16", "unread 0"]


def test_the_longest_name_at_80_columns(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "WIDTH", 80)
    name = "visits_of_all_people_to_all_sites_of_the_company_by_hour_and_by_day_v1"
    keep(places, name)
    assert run("status") == 1
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == name
    assert re.search(r"^ *lag +unknown *$", shown, re.MULTILINE)


def test_two_looks_at_the_same_tables_print_the_same(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also if their lateness is that of many batches with many records."""
    joined(places)
    keep(places, "visits_v1")
    last = ledger.last(places, "visits_v1")
    assert last
    rng = np.random.default_rng(5)
    for _ in range(8):
        values = rng.lognormal(6, 2, 5_000).tolist()
        last = last.next("batch", records=6_000, out_of_order=5_000, lateness_sketch=sketch(*values))
        ledger.write(places, "visits_v1", last)
    looks = set()
    for arguments in (("status",), ("status", "visits_v1"), ("status", "--json")) * 3:
        run(*arguments)
        looks.add((arguments, capsys.readouterr().out))
    assert len(looks) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_broker_that_is_away_is_asked_once_and_the_rest_is_shown(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.5)
    for name in ("visits_v1", "visits_v2", "visits_v3"):
        keep(places, name)
    with away(kind) as servers:
        lines = ['log = "kafka"', *(f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables"))]
        lines += [f'checkpoints = "{places.checkpoints}"', "[kafka]", f'servers = "{servers}"']
        (laptop / "conf" / "local.toml").write_text("\n".join(lines))
        for command in ("status", "doctor"):
            assert run(command, "--json") == 1
            said = capsys.readouterr()
            assert said.err == f"asking the broker {servers}, for 0 seconds at most ...\n"
            found = [json.loads(line) for line in said.out.splitlines()]
            assert [(each["name"], each["state"]) for each in found] == [(f"visits_v{n}", "unknown") for n in (1, 2, 3)]
        assert run("status") == 1
    shown = capsys.readouterr().out
    assert [row[:4] for row in rows(shown)] == [[f"visits_v{n}", "unknown", "20", "unknown"] for n in (1, 2, 3)]
    reason = f"the broker {servers} does not answer. Is it running, and is [kafka] right?"
    assert f"visits_v1, visits_v2, visits_v3: unknown: {reason}" in shown


def test_lines_of_json_have_all_numbers_with_their_units(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    joined(places, read=1)
    assert run("status", "--json") == 0
    [found] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (found["name"], found["state"], found["needs_somebody"]) == ("joined_v1", "behind", False)
    assert found["reason"].startswith("3 records are not read yet")
    assert (found["lag_records"], found["unpublished_batches"], found["topics"]) == (3, 1, ["searches", "clicks"])
    assert found["complete"] == {
        "time": "2024-05-01T12:04:00+00:00",
        "is_set": False,
        "held_by": {"topic": "clicks", "partition": 1, "unread_records": 3, "silent_seconds": 7200.0},
    }
    assert {"topic": "clicks", "partition": 1, "next_offset": 1, "end_offset": 4} in found["partitions"]
    assert found["late_records"] == {"corrected": 2, "quarantined": 1}


def test_watching_shows_what_has_changed_and_ends_in_one_line(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    joined(places)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            raise KeyboardInterrupt
        keep(places, "visits_v1")

    monkeypatch.setattr(watching, "time", SimpleNamespace(sleep=wait))  # threads of other tests may sleep, too
    assert run("status", "--watch", "--every", "7") == 0
    shown = capsys.readouterr().out.splitlines()
    headings = [line.partition(" UTC, ")[2] for line in shown if " UTC, " in line and "results" in line]
    assert headings == ["1 results: 1 behind", "2 results: 1 wrong, 1 behind"]
    assert (waits, shown[-1]) == ([7, 7], "stopped watching")
    assert run("status", "--watch", "--json") == 1
    assert "not both" in capsys.readouterr().err


def test_names_cannot_steer_a_terminal(laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    (laptop / "tables" / "red\x1b[31m_v1_ledger" / "_delta_log").mkdir(parents=True)
    run("status")
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "red\\x1b[31m_v1" in shown


def test_the_command_shows_all_results_or_one_and_goes_on_past_a_broken_one(
    laptop: Path, places: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("status") == 0
    assert "no results yet" in capsys.readouterr().out
    keep(places, "visits_v1")
    visits.write(places, 0, 60)
    (laptop / "tables" / "broken_v1_ledger" / "_delta_log").mkdir(parents=True)
    (laptop / "tables" / "broken_v1_ledger" / "_delta_log" / f"{0:020}.json").write_text("garbage\n")
    assert run("status") == 1
    shown = capsys.readouterr().out
    assert re.search("^broken_v1: wrong: the ledger .* cannot be read", shown, re.MULTILINE)
    broken, visited = rows(shown)
    assert broken == ["broken_v1", "wrong", *["-"] * 10]
    assert visited[:2] == ["visits_v1", "behind"]
    assert run("status", "visits_v1") == 0
    shown = capsys.readouterr().out
    for words in ("generation 2, batch 1", "20 read, 17 good", "3 waiting, 1 requeued", "the checkpoint is missing"):
        assert words in shown
    assert "25.0% of the bits" in shown and "4.7 h of record time" in shown
    assert "an old note" not in shown
    assert run("status", "broken_v1") == 1
    assert "bring it back from a backup" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert run("status", "none_v1") == 1
    assert "there are broken_v1, visits_v1" in capsys.readouterr().err


def test_a_file_in_the_place_of_the_tables_is_told_in_one_line(
    laptop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (laptop / "tables").write_text("a file")
    assert run("status") == 1
    said = capsys.readouterr().err
    assert said.startswith("headrace: cannot read the folder of tables")
    assert said.count("\n") == 1
