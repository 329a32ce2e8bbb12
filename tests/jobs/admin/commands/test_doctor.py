"""headrace doctor says what is wrong after each fault, and is content again when its remedy was followed."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs import run
from jobs.admin import findings
from jobs.answers.outcomes import Outcomes, Then
from jobs.answers.result import Late
from jobs.keeping import ledger, locks, microbatch
from jobs.log import home
from jobs.log.archive import writer
from tests.jobs.admin import command
from tests.jobs.keeping import readings, searches
from tests.jobs.keeping.harms import cut_short, delete, gone, of_another_query, older, replaced
from tests.jobs.keeping.small import LOG, RESULT, counted, expected, keep
from tests.jobs.keeping.world import places_in
from tests.jobs.steps import Stopped, stopping_at

NAME = RESULT.name


def look(folder: Path) -> list[tuple[bool, str]]:
    """(wrong, what and remedy) of all but the quarantine, in which the log's bad records wait."""
    found = findings.examine(places_in(folder), NAME)
    return [(each.wrong, f"{each.what} -> {each.remedy}") for each in found if "in quarantine" not in each.what]


def typed(folder: Path) -> int:
    """The exit code of the command."""
    lines = [f'{name} = "{folder}/{name}"' for name in ("archive", "tables", "checkpoints")]
    (folder / "places.toml").write_text("\n".join(lines))
    return command.run("doctor", "--places", str(folder / "places.toml"))


def test_a_result_that_is_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert look(folder) == []
    assert typed(folder) == 0
    said = capsys.readouterr().out
    waiting = sum(record.bad is not None for record in LOG[:9])
    assert waiting and f"small_v1: note: {waiting} records wait in quarantine (" in said
    assert "not_json: only what writes the topic can be mended" in said


def test_a_result_of_several_topics(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is well but for the late records; a row that does not begin where the one before ended is found."""
    for topic in (searches.SEARCHES, searches.CLICKS):
        monkeypatch.setattr(topic, "MAX_AHEAD", "2 minutes", raising=False)
    clicked = Outcomes("searches", ("user",), (Then("clicks", "3 minutes"),))
    world = searches.Visits(spark, tmp_path, searches.result("r_v1", clicked, late=Late("2 minutes", "quarantine")))
    world.add(searches.log(7))
    world.keep()
    [waiting] = findings.examine(world.places, "r_v1")
    assert not waiting.wrong and re.search(r"wait in quarantine \(\d+ late, \d+ too_late\)", waiting.what)
    assert waiting.remedy == (
        "late: nothing is wrong with it: a requeue takes it in as a correction; too_late: a new version of the result "
        "with longer facts_for, filled from the log; then: headrace requeue r_v1"
    )
    last = ledger.last(world.places, "r_v1")
    assert last
    jumped = replace(last.further_topics["clicks"], start_offsets={0: 1})
    ledger.write(world.places, "r_v1", replace(last.next("publish"), further_topics={"clicks": jumped}))
    wrong = [each.what for each in findings.examine(world.places, "r_v1") if each.wrong]
    assert wrong == [f"row {last.sequence + 1} of the ledger does not begin where row {last.sequence} ended"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [(gone, "is gone"), (replaced, "was replaced"), (older, "is older than its ledger")],
)
@pytest.mark.parametrize("table", [NAME, f"{NAME}_panes"])
def test_a_table_that_is_not_the_ledgers(
    folder: Path, table: str, harm: Callable[[Path], None], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(folder / "tables" / table)
    [(wrong, what)] = look(folder)
    assert wrong and said in what and f"tables/{table} " in what
    assert f"move all its tables away ({folder}/tables/{NAME}*)" in what
    assert typed(folder) == 1
    assert f"{NAME}: WRONG: the table" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("harm", "said"),
    [(delete, "is missing"), (cut_short, "cannot be read"), (of_another_query, "is of another query")],
)
def test_a_checkpoint_needs_nobody(folder: Path, harm: Callable[[Path], None], said: str) -> None:
    harm(folder / "checkpoints" / NAME / "generation-00001")
    [(wrong, what)] = look(folder)
    assert not wrong and said in what and "nothing: the next run goes on from the ledger" in what
    assert typed(folder) == 0


def test_a_run_that_stopped_in_mid_batch_is_explained_and_the_next_run_finishes_it(
    folder: Path, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    writer.append(f"{folder}/archive", "readings", readings.PARTITIONS, [readings.batch(LOG[9:])])
    job = run.Run(spark, places_in(folder), step=stopping_at("after panes"), say=lambda _: None)
    with pytest.raises(Stopped):
        microbatch.keep(job, RESULT)
    [(has_failed, end), (wrong, what)] = look(folder)
    assert not wrong and "stopped in mid-batch: panes, quarantine written" in what
    assert has_failed and re.search(r"last run failed at [\d-]+ [\d:]+ UTC: .*: Stopped\..* -> mend that, and run", end)
    assert typed(folder) == 1 and f"{NAME}: WRONG: {end}" in capsys.readouterr().out
    keep(spark, folder)
    assert look(folder) == []
    assert counted(folder) == expected(LOG)


def test_rows_of_somebody_else_are_told(folder: Path) -> None:
    DeltaTable(f"{folder}/tables/{NAME}_panes").delete("site = 'north'")
    [(wrong, what)] = look(folder)
    assert wrong and f"changed rows of {folder}/tables/{NAME}_panes: DELETE" in what
    assert typed(folder) == 1


def test_a_ledger_with_a_row_too_many_or_cut_is_told(folder: Path) -> None:
    last = ledger.last(places_in(folder), NAME)
    assert last
    ends = {partition: offset + 1 for partition, offset in last.end_offsets.items()}
    odd = replace(last.next("batch"), start_offsets=ends, end_offsets=last.end_offsets, sequence=last.sequence + 2)
    ledger.write(places_in(folder), NAME, odd)
    found = " ".join(what for wrong, what in look(folder) if wrong)
    assert "has rows missing or doubled" in found
    assert f"row {last.sequence + 2} of the ledger does not begin where row {last.sequence} ended" in found


def test_a_damaged_ledger_is_told(folder: Path) -> None:
    newest = max((folder / "tables" / f"{NAME}_ledger" / "_delta_log").glob("0*.json"))
    newest.write_text("{")
    [(wrong, what)] = look(folder)
    assert wrong and "cannot be read" in what and "backup" in what


def test_a_log_that_was_set_back_or_is_gone(folder: Path) -> None:
    shutil.rmtree(folder / "archive")
    [(wrong, what)] = look(folder)
    assert wrong and "has no records in" in what
    writer.append(f"{folder}/archive", "readings", readings.PARTITIONS, [readings.batch(LOG[:2])])
    [(wrong, what)] = look(folder)
    assert wrong and "has lost its end" in what


def test_a_run_that_is_going_on_is_told(folder: Path, spark: SparkSession) -> None:
    with locks.exclusive_run(spark, f"{folder}/checkpoints", NAME):
        [(wrong, what)] = look(folder)
    assert not wrong and "it is running now (process" in what
    assert look(folder) == []


def test_accepted_losses_and_windows_behind_are_notes(folder: Path) -> None:
    last = ledger.last(places_in(folder), NAME)
    assert last
    gap = last.next("gap", notes=("lost, and accepted: partition 0, offsets 3 to 4",), published_sequence=0)
    ledger.write(places_in(folder), NAME, gap)
    found = look(folder)
    assert not any(wrong for wrong, _ in found)
    assert any("partition 0, offsets 3 to 4" in what for _, what in found)
    assert any("the windows are behind the panes" in what for _, what in found)


def test_records_that_the_log_is_about_to_delete_are_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = datetime.now(UTC) + timedelta(hours=3)
    monkeypatch.setattr(home, "retention_deadline", lambda places, topic, read: soon)
    [(wrong, what)] = look(folder)
    assert wrong and f"from {soon:%Y-%m-%d %H:%M} UTC on" in what and "retention.ms" in what


def test_a_result_that_is_not_there_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed(folder)
    assert command.run("doctor", "none_v1", "--places", str(folder / "places.toml")) == 1
    assert f"no result none_v1 in {folder}/tables; there are {NAME}" in capsys.readouterr().err
