"""headrace check says all mistakes of a job file at once, and each only where it was made."""

import sys
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs.admin import job_check
from jobs.answers.delivery import File, Topic
from jobs.answers.outcomes import Outcomes, Then
from jobs.run import LOCAL_PROFILE
from jobs.running.places import Places
from tests.jobs.admin import command
from tests.jobs.admin.versions.kept_results import KeptResult
from tests.jobs.keeping import searches
from tests.jobs.running import job_files


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a schema file of its own."""
    monkeypatch.delitem(sys.modules, "rides_schema", raising=False)


def no_session() -> SparkSession:
    raise AssertionError("no result, and so nothing for Spark to look at")


def changed(file: Path, *changes: tuple[str, str]) -> Path:
    """The job file with one text put in the place of another, several times."""
    text = file.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)
    return file


def test_mistakes_that_do_not_follow_from_each_other_are_all_told(tmp_path: Path) -> None:
    """The windows and the result only lack names that earlier mistakes have left undefined."""
    file = changed(
        job_files.write(tmp_path),
        ("import CalendarDay, Tumbling", "import CalendarDay, Tumblin"),
        ("import Reads, Result", "import Late, Reads, Result"),
        ("every=", "evry="),
        ("def transform", 'LATE = Late("5 min")\n\n\ndef transform'),
    )
    found = job_check.check(file, no_session)
    places = [job_files.line_of(file, text) for text in ("Tumblin,", "PANES =", "LATE =")]
    assert [fault.partition(": ")[0] for fault in found.faults] == [f"{file}, line {line}" for line in places]
    assert [fault.partition(": ")[2][:40] for fault in found.faults] == [
        "cannot import name 'Tumblin' from 'jobs.",
        "Panes() takes no evry; did you mean ever",
        '"5 min" is not a duration: write a posit',
    ]
    assert not found.results and not found.tables


def test_a_name_that_only_a_run_would_miss_is_told(tmp_path: Path) -> None:
    """The result has been given another name; main keeps the old one, and a helper calls what is not imported."""
    file = changed(
        job_files.write(tmp_path),
        ("RESULT = Result(", "RESULTS = Result("),
        ("Windows(PANES, *WINDOWS)", "Windows(PANES, *WINDOW)"),
        (
            "def main",
            "@contextmanager\ndef folder():\n    yield\n\n\ndef hours() -> float:\n    return ceil(1.5)\n\n\ndef main",
        ),
        ("keep(run, RESULT)", "keep(run, OUTCOME)"),
        ("from jobs import keeping", "from contextlib import contextmanager\n\nfrom jobs import keeping"),
    )
    found = job_check.check(file, no_session)
    lines = [job_files.line_of(file, text) for text in ("RESULTS =", "    return ceil", "    keeping.keep(")]
    assert found.faults == [
        f"{file}, line {lines[0]}: name 'WINDOW' is not defined; did you mean WINDOWS?",
        f"{file}, line {lines[1]}: name 'ceil' is not defined",
        f"{file}, line {lines[2]}: name 'OUTCOME' is not defined",
    ]


def test_a_file_that_python_cannot_read_or_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = job_files.write(tmp_path, change=("RESULT = Result(", "RESULT = Result(("))
    assert command.run("check", str(file)) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{file}, line {job_files.line_of(file, 'RESULT =')}: this is no Python: ")
    assert command.run("check", f"{tmp_path}/none.py") == 1
    assert "there is no job file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        (
            ('"begun"\n', '"meta.begun"\n'),
            "EVENT_TIME names meta.begun, which is not in COLUMNS; there are begun, bike",
        ),
        (
            ('"begun"\n', '"begun"\nEVENT_TIME_UNIT = "ms"\n'),
            "EVENT_TIME_UNIT is ms; take one of seconds, milliseconds",
        ),
        (('"begun"\n', '"begun"\nZONE = "Berlin"\n'), "ZONE names Berlin; there is no time zone of this name"),
        (('"begun"\n', '"begun"\nENCODING = "thrift"\n'), "ENCODING is 'thrift'; take one of avro, protobuf"),
        (('"begun"\n', '"begun"\nENCODING = "avro"\nREADER_SCHEMA = "{}"\n'), "READER_SCHEMA: it is no schema of Avro"),
    ],
    ids=["path", "unit", "zone", "encoding", "reader"],
)
def test_a_wrong_declaration_is_told_with_its_line(schema: tuple[str, str], said: str, tmp_path: Path) -> None:
    file = job_files.write(tmp_path, schema=schema)
    [fault] = job_check.check(file, no_session).faults
    word = said.partition(" ")[0].rstrip(":")
    line = job_files.line_of(tmp_path / "rides_schema.py", f"{word} =")
    assert f"{tmp_path}/rides_schema.py, line {line}: {said}" in fault


def test_a_mistake_in_the_schema_file_and_one_in_the_job_file(tmp_path: Path) -> None:
    file = job_files.write(tmp_path, change=("every=", "evry="), schema=("KEY = None", "KEY = Non"))
    found = job_check.check(file, no_session)
    assert [fault.partition(": ")[0] for fault in found.faults] == [
        f"{tmp_path}/rides_schema.py, line {job_files.line_of(tmp_path / 'rides_schema.py', 'KEY')}",
        f"{file}, line {job_files.line_of(file, 'evry=')}",
    ]
    assert "did you mean None?" in found.faults[0]


def test_the_search_path_stays_as_it_was(tmp_path: Path) -> None:
    before = list(sys.path)
    job_check.check(job_files.write(tmp_path, change=("every=", "evry=")), no_session)
    assert sys.path == before


EVENTS = """
def whole(events: DataFrame) -> DataFrame:
    is_a = F.col("bike") == "a"
    return events.select("event_time", "record_partition", "record_offset", "bike", is_a.alias("is_a"))


def wrong(events: DataFrame) -> DataFrame:
    return events.select("event_time", "bik")


KEPT = Result(
    "kept_v1",
    Reads(rides, whole),
    (
        Outcomes("rides", ("bike",), (Then("is_a", "2 minutes"),)).named("a"),
        Outcomes("rides", ("bike",), (Then("is_b", "2 minutes"),)).named("b"),
        Outcomes("rides", ("bike",), (Then("is_c", "2 minutes"),)).named("c"),
    ),
)
BROKEN = Result("broken_v1", Reads(rides, wrong), Windows(PANES, *WINDOWS))
"""


def test_spark_looks_at_each_transform_and_its_answers(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = changed(
        job_files.write(tmp_path),
        ("\n\ndef main", f"{EVENTS}\n\ndef main"),
        ("from jobs.answers.windows", "from jobs.answers.outcomes import Outcomes, Then\nfrom jobs.answers.windows"),
    )
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / LOCAL_PROFILE).write_text("")  # the session of the tests goes on
    assert command.run("check", str(file), "--places", f"{tmp_path}/conf/local.toml") == 1
    lines = capsys.readouterr().out.splitlines()
    whole, select = (job_files.line_of(file, text) for text in ("def whole", '"bik")'))
    assert len(lines) == 4
    for line, column in zip(lines, ("is_b", "is_c"), strict=False):
        assert line.startswith(f"{file}, line {whole}: kept_v1: ") and column in line
    assert lines[2].startswith(f"{file}, line {select}: there is no column bik; did you mean bike, ")
    assert lines[3] == (
        "rides_v1: no mistake found; its tables: rides_v1_panes, rides_v1, rides_v1_stragglers, rides_v1_quarantine"
    )


def test_several_job_files_are_looked_at_together(
    spark: SparkSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second is a copy of the first whose result was not named anew, with a mistake of its own."""
    first = job_files.write(tmp_path)
    second, third = tmp_path / "copy.py", tmp_path / "none.py"
    second.write_text(first.read_text().replace("def main", "LATE = Lat\n\n\ndef main"))
    third.write_text("NOTHING = 0\n")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / LOCAL_PROFILE).write_text("")  # the session of the tests goes on
    at = ("--places", f"{tmp_path}/conf/local.toml")
    assert command.run("check", *map(str, (first, second, third)), *at) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("rides_v1: no mistake found")
    assert lines[1].startswith(f"{second}, line {job_files.line_of(second, 'LATE')}: name 'Lat' is not defined")
    assert lines[2].startswith(f"{second}: rides_v1 is the name of a result in another of these job files")
    assert lines[-1] == f"{third}: no mistake found; it has no result"
    assert command.run("check", str(first), str(third), *at) == 0


def test_results_that_deliver_to_one_topic_are_told(places: Places) -> None:
    KeptResult(places, "old_v1", more={"delivered_sequence": {"topic:out:named": 2, "file:seen": 2}}).publish({0: 5})
    KeptResult(places, "own_v1", more={"delivered_sequence": {"topic:shared": 2}}).publish({0: 5})
    answer = Outcomes("searches", ("user",), (Then("clicks", "3 minutes"),))
    results = [
        searches.result(name, answer, deliver=deliver)
        for name, deliver in (("own_v1", (Topic("shared"),)), ("new_v1", (Topic("out"), Topic("shared"), File("seen"))))
    ]
    found = job_check.JobCheck({result.name: result for result in results})
    found.compare_deliveries(results[0], lambda: places)
    assert not found.faults, "it has delivered there before"
    found.compare_deliveries(results[1], lambda: places)
    in_file, in_tables = found.faults
    assert in_file.startswith("own_v1 and new_v1 both deliver to topic shared")
    assert in_tables.startswith("new_v1 is to deliver to topic out, and old_v1 does")
    in_two_files = job_check.JobCheck({"new_v1": results[1]}, earlier={"own_v1": results[0]})
    in_two_files.compare_deliveries(results[1], None)
    assert in_two_files.faults == [in_file]
