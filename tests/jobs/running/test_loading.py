"""A mistake in a job file or its schema file is one line that names file and line, before Java is needed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.run import start
from jobs.running import loading
from jobs.running.arguments import check_interval, check_start
from tests.jobs.running import job_files

ROOT = Path(__file__).parent.parent.parent.parent

IN_THE_JOB = {
    "hour of 7 minutes": ('Tumbling("1 hour")', 'Tumbling("7 minutes")', "tumbling 7 minutes"),
    "unit": ('"5 minutes"', '"5 min"', '"5 min" is not a duration'),
    "half a second": ('"5 minutes"', '"500 milliseconds"', '"500 milliseconds" is not a duration'),
    "month": ('Tumbling("1 hour")', 'Tumbling("1 month")', '"1 month" is not a duration'),
    "zone": ("Europe/Zurich", "Europe/Zurch", "there is no time zone of this name"),
    "keyword": ("every=", "evry=", "Panes() takes no evry; did you mean every?; it takes every, by, "),
    "import": ("import CalendarDay, Tumbling", "import CalendarDay, Tumblin", "did you mean Tumbling?"),
    "module": ("answers.windows", "answers.window", "no module jobs.answers.window; did you mean windows?"),
    "package": (
        "from jobs import keeping",
        "from jobs import keepin as keeping",
        "cannot import name 'keepin' from 'jobs'",
    ),
    "starter": ("import Run, start", "import Run, strat as start", "cannot import name 'strat'"),
    "schema": ("rides_schema as", "ride_schema as", "no module ride_schema; did you mean rides_schema?"),
    "schema file": (
        "import rides_schema as",
        "from schemas import departures as",
        "there is no file schemas/departures.py in the project; did you mean departure?",
    ),
    "name": ("PANES = Panes(", "PANES = Pains(", "name 'Pains' is not defined; did you mean Panes?"),
    "not imported": (
        'Tumbling("1 hour")',
        'Hopping("1 hour", every="5 minutes")',
        "name 'Hopping' is not defined: from jobs.answers.windows import Hopping",
    ),
    "no tuple": ('averages=("minutes",)', 'averages="minutes"', 'averages="minutes"): write a comma after a single'),
    "late": ("*WINDOWS))", '*WINDOWS), late="6 hours")', 'rides_v1: late= takes a Late, such as late=Late("6 hours")'),
    "attribute": ("WINDOWS = ", "COLUMNS = rides.COLUMN\nWINDOWS = ", "'COLUMN'; did you mean COLUMNS?"),
    "left out": ("Reads(rides, transform), Windows", "Windows", "a result takes what it reads"),
    "old form": (
        "Reads(rides, transform), Windows(PANES, *WINDOWS)",
        "rides, transform",
        "a result takes what it reads",
    ),
    "type": ('Tumbling("1 hour")', "Tumbling(3600)", '"3600" is not a duration'),
    "key": ("WINDOWS = ", 'EVERY = {}["every"]\nWINDOWS = ', "KeyError: 'every'"),
    "not guarded": ('if __name__ == "__main__":\n    start', "start", "put it under if __name__ =="),
    "several lines": (
        'Result("rides_v1", Reads(rides,',
        'Result(\n    "rides_v1", Reads(\n    ride,\n',
        "did you mean rides?",
    ),
}
IN_LINE = {"hour of 7 minutes": "RESULT =", "month": "RESULT =", "zone": "RESULT =", "type": "RESULT ="}
IN_LINE |= {"not imported": "WINDOWS =", "no tuple": "PANES =", "late": "RESULT ="}
IN_LINE |= {"several lines": "    ride,", "not guarded": "start(main)"}
IN_LINE |= dict.fromkeys(("left out", "old form"), "RESULT =")
"""Where the mistake is met, if that is not where it was made."""


@pytest.mark.parametrize("mistake", IN_THE_JOB)
def test_a_mistake_in_a_job_file(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, said = IN_THE_JOB[mistake]
    file = job_files.write(tmp_path, change=(old, new))
    line = job_files.line_of(file, IN_LINE.get(mistake, new.splitlines()[0]))
    with pytest.raises(Exception) as failed:
        job_files.load(file, monkeypatch)
    found = loading.fault(failed.value)
    assert found and found.startswith(f"{file}, line {line}: ") and said in found and "\n" not in found


IN_THE_SCHEMA = {
    "no Python": ('"rides"', '"rides', 5, "this is no Python: "),
    "indent": ("KEY = None", "  KEY = None", 6, "this is no Python: unexpected indent"),
    "import": ("types import StringType", "types import StrinType", 3, "did you mean StringType?"),
    "call": (
        "StringType(), True",
        "StringTyp(), True",
        12,
        "name 'StringTyp' is not defined; did you mean StringType?",
    ),
}


@pytest.mark.parametrize("mistake", IN_THE_SCHEMA)
def test_a_mistake_in_a_schema_file(mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, line, said = IN_THE_SCHEMA[mistake]
    file = job_files.write(tmp_path, schema=(old, new))
    with pytest.raises(Exception) as failed:
        job_files.load(file, monkeypatch)
    found = loading.fault(failed.value)
    assert found and found.startswith(f"{tmp_path}/rides_schema.py, line {line}: ") and said in found


def test_a_schema_without_its_event_time_is_told_where_the_result_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = job_files.write(tmp_path, schema=('EVENT_TIME = "begun"\n', ""))
    with pytest.raises(Exception) as failed:
        job_files.load(file, monkeypatch)
    found = loading.fault(failed.value)
    assert found and found.startswith(f"{file}, line {job_files.line_of(file, 'RESULT =')}: ")
    assert "does not say EVENT_TIME: say EVENT_TIME = ..." in found


def test_a_file_is_named_as_seen_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jobs").mkdir()
    file = job_files.write(tmp_path / "jobs", change=("every=", "evry="))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError) as failed:
        job_files.load(file, monkeypatch)
    found = loading.fault(failed.value)
    assert found and found.startswith("jobs/rides.py, line 13: ")


def test_a_module_that_the_engine_misses_is_no_mistake_of_the_author(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasketches", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "sketches.hyperloglog", raising=False)
    file = job_files.write(tmp_path, change=("PANES = ", "import sketches.hyperloglog\n\nPANES = "))
    with pytest.raises(ModuleNotFoundError) as failed:
        job_files.load(file, monkeypatch)
    assert loading.fault(failed.value) is None


def run(file: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The job file as a program, on a machine without Java."""
    everything = os.environ | {"PYTHONPATH": str(ROOT), "JAVA_HOME": "/nowhere"} | environment
    return subprocess.run(
        [sys.executable, str(file)], env=everything, cwd=file.parent, capture_output=True, text=True, check=False
    )


def test_a_job_that_is_run_ends_with_the_line_and_code_1(tmp_path: Path) -> None:
    """Also when the fault is in the first that it imports of the project, and in what needs Spark too early."""
    for old, new, said in (
        ("import keeping", "import keepin as keeping", "line 6: cannot import name 'keepin'"),
        ("WINDOWS = ", 'MINUTES = F.col("minutes")\nWINDOWS = ', "line 14: AssertionError: Spark is not started"),
    ):
        ended = run(job_files.write(tmp_path, change=(old, new)))
        assert (ended.returncode, ended.stdout) == (1, "")
        [line] = ended.stderr.splitlines()
        assert line.startswith(f"headrace: rides.py, {said}")


def test_a_script_that_is_no_job_keeps_pythons_own_words(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from jobs import run\n\nrun.jobs(1)\n")
    ended = run(script)
    assert ended.returncode == 1 and ended.stderr.startswith("Traceback") and "AttributeError" in ended.stderr


def test_with_headrace_debug_a_job_ends_with_all_of_pythons_words(tmp_path: Path) -> None:
    ended = run(job_files.write(tmp_path, change=("every=", "evry=")), HEADRACE_DEBUG="1")
    assert ended.returncode == 1 and ended.stderr.startswith("Traceback")


@pytest.mark.parametrize(
    "said", ["10 seconds", "0 seconds", "1 minute 30 seconds", "1.5 seconds", "2 WEEKS", "100 milliseconds"]
)
def test_an_interval_of_spark_is_taken(said: str) -> None:
    check_interval(said)


@pytest.mark.parametrize("said", ["10 sec", "10seconds", "-5 seconds", "1 month", "1.5 minutes", "10", ""])
def test_what_is_no_time_between_batches_is_refused_before_java_is_asked_for(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(f"--continuous={said}", monkeypatch, capsys).startswith(f'headrace: --continuous "{said}" is not a')


@pytest.mark.parametrize("said", ["latest", "Earliest", "1746432000000", "2025-05-05T08:00Z", '{"rides": {"0": 12}}'])
def test_a_start_that_the_log_knows_is_taken(said: str) -> None:
    check_start(said)


@pytest.mark.parametrize("said", ["yesterday", "2025-05-05T08:00:00", "", "{}", '{"rides": 12}', "-1", "1.5"])
def test_what_is_no_start_is_refused_before_java_is_asked_for(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(f"--start={said}", monkeypatch, capsys).startswith(f'headrace: --start "{said}" is no start')


def refused(argument: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The line that a job ends with, given an argument, where there is neither Java nor a places file."""
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    monkeypatch.setattr(sys, "argv", ["job", argument, "--places", "/nowhere/places.toml"])
    with pytest.raises(SystemExit) as ended:
        start(lambda _: None)
    [line] = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    return line
