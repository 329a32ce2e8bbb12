"""headrace metrics: what /metrics says, on standard output or in a file."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs.running.places import Places
from tests.jobs.admin.command import run
from tests.jobs.admin.versions.kept_results import places_file
from tests.jobs.ui import made_results


def numbers(text: str) -> dict[tuple[str, str], float]:
    """By name and result, those that have no other label."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, one.labels["result"]): one.value for one in samples if [*one.labels] == ["result"]}


def test_they_are_printed_or_take_the_place_of_a_file(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places_file(places, tmp_path)
    made_results.make(places, "visits_v1", read=made_results.fill_log(places))
    made_results.make(places, "visits_v2")
    asked = ("metrics", "--places", str(tmp_path / "conf/local.toml"))
    assert run(*asked) == 0
    printed = numbers(capsys.readouterr().out)
    for result in ("visits_v1", "visits_v2"):
        assert printed["headrace_result_records_total", result] == made_results.READ
        assert printed["headrace_result_quarantined_records", result] == 2
    file = tmp_path / "headrace.prom"
    file.write_text("of the run before")
    assert run(*asked, "--file", str(file)) == 0
    assert numbers(file.read_text()).keys() == printed.keys()
    assert [each.name for each in tmp_path.glob("headrace*")] == ["headrace.prom"]
    assert run(*asked, "--file", f"{tmp_path}/nowhere/headrace.prom") == 1
    assert "No such file or directory" in capsys.readouterr().err


def test_a_folder_of_tables_that_cannot_be_read_is_told(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places_file(places, tmp_path)
    Path(places.tables).write_text("no folder")
    assert run("metrics", "--places", str(tmp_path / "conf/local.toml")) == 1
    assert "headrace: the folder of tables cannot be read" in capsys.readouterr().err
