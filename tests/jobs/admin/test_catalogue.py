"""A job file that cannot be loaded stands in no other result's way, and is named where it is asked for."""

import sys
from pathlib import Path

import pytest

import jobs
from jobs.admin.catalogue import find
from jobs.running.errors import Refused
from tests.jobs.admin import command
from tests.jobs.running import job_files


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files are jobs of the package too."""
    monkeypatch.setattr(jobs, "__path__", [*jobs.__path__, str(tmp_path)])
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("jobs.rides", "rides_schema", "jobs.cut_off", "jobs.ends"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def test_a_broken_file_leaves_other_results_alone_and_is_told_when_one_is_missing(package: Path) -> None:
    job_files.write(package, change=("every=", "evry="))
    (package / "cut_off.py").write_text('"""Cut off."""\n\nRESULT = (\n')
    (package / "ends.py").write_text("import sys\n\nsys.exit(3)\n")
    assert find("unique_aircraft_v1").name == "unique_aircraft_v1"
    with pytest.raises(Refused) as refused:
        find("rides_v1")
    said = str(refused.value)
    assert "departure_delay_v1, " in said and "Not loaded: " in said and "\n" not in said
    assert f"{package}/cut_off.py, line 3: this is no Python: " in said
    assert f"{package}/ends.py, line 3: it ends the program while it is loaded" in said
    assert f"{package}/rides.py, line 13: Panes() takes no evry" in said


def test_a_file_that_runs_when_it_is_imported_is_told_so(package: Path) -> None:
    file = job_files.write(package, change=('if __name__ == "__main__":\n    start', "start"))
    line = job_files.line_of(file, "start(main)")
    with pytest.raises(Refused, match=f"{file}, line {line}: jobs.run.start is called while this file is imported"):
        find("rides_v1", file)


@pytest.mark.parametrize("name", ["accuracy", "requeue"])
def test_a_command_says_where_the_job_file_is_wrong(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "rides_schema", raising=False)
    (tmp_path / "places.toml").write_text('archive = "a"\ntables = "t"\ncheckpoints = "c"\n')
    file = job_files.write(tmp_path, change=('Tumbling("1 hour")', 'Tumbling("7 minutes")'))
    assert command.run(name, "rides_v1", "--job", str(file), "--places", f"{tmp_path}/places.toml") == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"headrace: {file}, line {job_files.line_of(file, 'RESULT =')}: tumbling 7 minutes: ")
