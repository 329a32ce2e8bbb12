"""headrace new of a topic of events: from a sample to files that are checked, run and tested."""

import gzip
import importlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

import jobs
import schemas
from jobs.admin import job_check
from jobs.admin.new import event_time_guess, record_fields, record_test
from jobs.testing.plugin import RunResult
from tests.jobs.admin import command
from tests.pages import ROOT, load_module

AGENT = 'Mozilla/5.0 "quoted" (X11; Linux x86_64) ' + "and so on " * 9
"""Too long for a line of its own."""


def ride(number: int) -> dict[str, Any]:
    """With objects and arrays inside, a name that is no word, a long text, and nulls."""
    return {
        "meta": {"at": 1_746_432_000_000 + 60_000 * number, "source": {"region": ["north", "south"][number % 2]}},
        "bike_id": f"b{number % 4}",
        "minutes": 10 + number,
        "room.temp": 20.5 if number % 3 else None,
        "is_free": number % 5 == 0,
        "tags": ["a", "b"],
        "agent": AGENT,
        "window": "x",
    }


RIDES = [ride(number) for number in range(12)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a project, whose jobs and schema files are found, and forgotten again."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "local.toml").write_text('archive = "log"\ntables = "t"\ncheckpoints = "c"\n')
    monkeypatch.chdir(tmp_path)
    for package in (jobs, schemas):
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / package.__name__)])
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        room, _, module = name.partition(".")
        if (tmp_path / room / f"{module}.py").exists():
            del sys.modules[name]
            vars(sys.modules[room]).pop(module, None)


def write(file: Path, *rows: object) -> None:
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)


def columns(project: Path, name: str) -> dict[str, tuple[DataType, bool]]:
    module = load_module(f"schemas.{name}", project / "schemas" / f"{name}.py")
    return {one.name: (one.dataType, one.nullable) for one in module.COLUMNS}


def test_files_of_nested_records_are_checked_and_run(
    spark: SparkSession, project: Path, capsys: pytest.CaptureFixture[str], run_result: RunResult
) -> None:
    """They pass the linters of the project and the check; a function of their own test is called here."""
    write(project / "rides.ndjson", *RIDES, "garbage", ride(3) | {"minutes": "three"})
    assert command.run("new", "city.rides", "--sample", "rides.ndjson") == 0
    assert capsys.readouterr().out.splitlines() == [
        "guessed: time: meta.at, as its numbers look like milliseconds since 1970; else --time FIELD",
        "guessed: records that are no JSON object: 1; a job puts them into quarantine",
        "guessed: field minutes: a number in 12 records, a text in 1; a job puts these into quarantine (wrong_type)",
        "guessed: key: bike_id, as its values come again: records of one are kept in order; else --key FIELD",
        "wrote schemas/rides.py, jobs/rides.py and tests/test_rides.py, of 13 records; next:",
        "  headrace check jobs/rides.py",
        "  pytest tests/test_rides.py",
        "  headrace produce city.rides rides.ndjson --key bike_id --keep-bad",
        "  headrace run jobs/rides.py",
        "  headrace query 'select window_start, meta_source_region, records, minutes_mean, room_temp_mean, "
        "is_free_count, bike_id_estimate from rides_v1 order by window_start limit 20'",
    ]
    source = StructType([StructField("region", StringType(), False)])
    meta = StructType([StructField("at", LongType(), False), StructField("source", source, False)])
    assert columns(project, "rides") == {
        "meta": (meta, False), "bike_id": (StringType(), False), "minutes": (LongType(), False),
        "room.temp": (DoubleType(), True), "is_free": (BooleanType(), False), "agent": (StringType(), False),
        "tags": (ArrayType(StringType()), False), "window": (StringType(), False),
    }  # fmt: skip
    lint(project, "rides")
    importlib.invalidate_caches()
    found = job_check.check(project / "jobs" / "rides.py", lambda: spark)
    assert not found.faults and found.tables["rides_v1"]
    test = load_module("test_rides", project / "tests" / "test_rides.py")
    test.test_a_record_that_lacks_its_fields_waits_in_quarantine(run_result)
    job = load_module("jobs.rides", project / "jobs" / "rides.py")
    rows = run_result(job.RESULT, RIDES)
    shown = ("meta_source_region", "records", "minutes_mean", "is_free_count", "bike_id_estimate")
    assert rows.select(*shown) == [("north", 6, 15.0, 2, 2), ("south", 6, 16.0, 1, 2)]
    assert command.run("new", "city.rides", "--sample", "rides.ndjson") == 1
    assert "are there already, and are not overwritten: give another --name" in capsys.readouterr().err


def lint(project: Path, name: str) -> None:
    files = [str(project / folder / f"{name}.py") for folder in ("schemas", "jobs")]
    files.append(str(project / "tests" / f"test_{name}.py"))
    config = ["--config", str(ROOT / "pyproject.toml"), "--config", f'src = ["{ROOT}", "{project}"]']
    for check in (["ruff", "check", *config, *files], ["ruff", "format", "--diff", *config, *files]):
        done = subprocess.run([sys.executable, "-m", *check], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    strict = ["mypy", "--config-file", str(ROOT / "pyproject.toml"), "--follow-imports", "silent", files[0]]
    done = subprocess.run([sys.executable, "-m", *strict], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rows_of_csv_are_typed_as_they_are_produced(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """007 is a text, as `headrace produce` writes it; the times have no zone."""
    write(
        project / "sales.csv.gz",
        "day;sold at;shop;code;price;note",
        "2025-05-05;2025-05-05 08:00:00;x;007;1,5;",
        "2025-05-05;2025-05-05 08:01:00.25;y;008;2;a",
    )
    dialect = ("--delimiter", ";", "--decimal-comma")
    assert command.run("new", "sales", "--sample", "sales.csv.gz", *dialect, "--key", "shop", "--time", "sold at") == 0
    said = capsys.readouterr().out
    assert "guessed: time" not in said and "guessed: key" not in said
    produce = next(line for line in said.splitlines() if "headrace produce" in line)
    assert shlex.split(produce)[1:] == [
        *("produce", "sales", "sales.csv.gz", "--key", "shop", "--delimiter", ";", "--decimal-comma"),
    ]
    assert {name: kind for name, (kind, _) in columns(project, "sales").items()} == {
        "day": DateType(), "sold at": TimestampType(), "shop": StringType(), "code": StringType(),
        "price": DoubleType(), "note": StringType(),
    }  # fmt: skip
    assert 'ZONE = "UTC"' in (project / "schemas" / "sales.py").read_text()
    lint(project, "sales")
    assert command.run(*shlex.split(produce)[1:]) == 0
    capsys.readouterr()
    assert command.run("new", "sales", "--name", "sold") == 0
    said = capsys.readouterr().out
    assert "guessed: time: sold at" in said and "guessed: key: shop, as the keys of records show" in said
    assert "wrote schemas/sold.py, jobs/sold.py and tests/test_sold.py, of 2 records" in said and "produce" not in said


def test_a_topic_with_the_name_of_a_part_of_headrace(project: Path) -> None:
    write(
        project / "a.ndjson", {"time": "2025-05-05", "event_time": 5, "record_key": "x", "A": 1, "a": 2, "big": 2**70}
    )
    assert command.run("new", "events", "--sample", "a.ndjson") == 0
    kinds = {name: kind for name, (kind, _) in columns(project, "events_rows").items()}
    assert kinds == {"time": DateType(), "A": LongType(), "big": DecimalType(38, 0)}
    assert 'CalendarDay("UTC")' in (project / "jobs" / "events_rows.py").read_text()
    lint(project, "events_rows")


def test_numbers_in_texts_and_ids_with_blanks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A temperature whose values come again is no key, and nothing that is averaged without a word."""
    rows = [f"2025-05-05 08:00:{n:02d};00{n % 3};{n % 7},5;{'EUR 5' if n % 4 == 0 else '1.25'}" for n in range(28)]
    write(project / "room.csv", "Zeit;Sensor Nr;Temperatur (°C);Preis", *rows)
    assert command.run("new", "rooms", "--sample", "room.csv", "--delimiter", ";") == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("guessed")] == [
        "guessed: time: Zeit, as its texts are times without a zone, read as UTC (ZONE in the schema file); "
        "else --time FIELD",
        "guessed: field Temperatur (°C): a text, though it looks like numbers; its numbers have a decimal comma: of "
        "CSV --decimal-comma reads them, else a transform",
        "guessed: field Preis: a text, though it looks like numbers; 7 of 28 are no plain numbers: in a transform "
        "try_cast makes null of these",
        "guessed: key: Sensor Nr, as its values come again: records of one are kept in order; else --key FIELD",
    ]


def test_changes_of_a_table_and_a_name_that_is_taken_are_said(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(project / "a.ndjson", *({"op": "c", "before": None, "after": {"id": n}, "source": {}} for n in range(3)))
    assert command.run("new", "shop.events", "--sample", "a.ndjson") == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == ("guessed: the records are changes of a table, as Debezium writes them: --debezium keeps its rows")
    assert second == "guessed: name: events_rows, as Python has something else called events; else --name NAME"


@pytest.mark.parametrize("time", [None, "yesterday", "2025-05-05T08:00:00Z"])
def test_the_line_that_produces_the_sample_takes_all_of_it(
    project: Path, capsys: pytest.CaptureFixture[str], time: str | None
) -> None:
    """Also a line that is no JSON, and a record without the time, or with an odd one."""
    rows = [{"time": f"2025-05-05T08:00:0{n}Z", "ms": n} for n in range(10)]
    write(project / "a.ndjson", *rows, {"time": time, "ms": 5}, "<html>")
    assert command.run("new", "calls", "--sample", "a.ndjson") == 0
    produce = next(line for line in capsys.readouterr().out.splitlines() if "headrace produce" in line)
    assert command.run(*shlex.split(produce)[1:]) == 0
    assert "calls: 12 records into " in capsys.readouterr().out


def test_without_a_time_the_record_has_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project / "a.ndjson", *({"id": f"x{n % 2}", "size": 10 + n} for n in range(4)))
    assert command.run("new", "parts", "--sample", "a.ndjson") == 0
    said = capsys.readouterr().out
    assert "guessed: time: that of the record, as no field looks like a time; else --time FIELD\n" in said
    assert "  headrace produce parts a.ndjson --key id\n" in said
    lint(project, "parts")
    made = load_module("schemas.parts", project / "schemas" / "parts.py")
    assert (made.EVENT_TIME, made.KEY) == (None, "id")
    assert load_module("jobs.parts", project / "jobs" / "parts.py").RESULT.panes.averages == ("size",)


def test_names_that_no_column_of_a_table_can_have(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = {'q"q': 1, "it's": 2.5, "line\nbreak": 3, "ü": 4, "revision": 5, "2nd": {"x y": 6}, "b\\c": True, "": 7}
    write(project / "odd.ndjson", *({"at": f"2025-05-05T08:00:0{n}Z"} | named for n in range(3)))
    assert command.run("new", "odd", "--sample", "odd.ndjson") == 0
    assert "guessed: field '' is left out: columns of headrace have this name\n" in capsys.readouterr().out
    lint(project, "odd")
    load_module("schemas.odd", project / "schemas" / "odd.py")
    panes = load_module("jobs.odd", project / "jobs" / "odd.py").RESULT.panes
    assert panes.averages == ("q_q", "it_s", "line_break", "column", "revision_value", "2nd_x_y")
    assert panes.counts == ("b_c",)


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("[1, 2]\n", (), "is a JSON array, one object a line is wanted"),
        ("5\n", (), "has no record that is a JSON object"),
        ('{"at": "2025-05-05"}', ("--registry", "--text", "at"), "--text is for records of events, not for --registry"),
        ('{"a": 1746432000}', ("--time", "b"), "--time b: the records have no such field; they have a"),
        ('{"a": "noon"}', ("--time", "a"), "--time a: its values are no times"),
        ('{"at": "2025-05-05"}', ("--key", "b"), "--key b: the records have no such field, or it is their time"),
        ('{"at": "2025-05-05"}', ("--key", "b", "--key", "c"), "--key names one field"),
        ('{"at": "2025-05-05"}', ("--name", "run"), "a file of headrace has this name"),
        ('{"at": "2025-05-05"}', ("--delimiter", ";"), "--delimiter is for CSV"),
        ('{"at": "2025-05-05"}', ("--from-log",), "not both"),
        ('{"at": "2025-05-05"}', ("--debezium", "--time", "at"), "--time is for records of events"),
    ],
)
def test_what_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, more: tuple[str, ...], message: str
) -> None:
    write(project / "a.ndjson", text)
    assert command.run("new", "rides", "--sample", "a.ndjson", *more) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (project / "schemas").exists()


def test_a_topic_that_is_not_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run("new", "rides") == 1
    assert "Or give a sample of its records: --sample FILE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"ended_at": "2025-05-05T09:00:00Z", "started_at": "2025-05-05T08:00:00Z"}, ("started_at", None)),
        ({"created": "2025-05-05", "n": 1746432000, "ts": 1746432000}, ("ts", "seconds")),
        ({"n": 1746432000123456}, ("n", "microseconds")),
        ({"updated_at": "2025-05-05T09:00:00Z", "data": {"time": 1746432000.5}}, ("data.time", "seconds")),
        ({"day": "2025-05-05", "at": "2025-05-05T08:00:00+02:00"}, ("at", None)),
    ],
)
def test_which_field_is_the_time(row: dict[str, Any], expected: tuple[str, str | None]) -> None:
    guess = event_time_guess.choose(record_fields.of_rows([row, row], []), None)
    assert (guess.name, guess.unit) == expected


def test_a_few_odd_values_do_not_hide_which_field_is_the_time() -> None:
    """Nine of ten are times; the odd ones are told. If more are odd the field is no time."""
    rows = [{"at": f"2025-05-05T08:00:{second:02}Z", "ms": 1746432000000 + second} for second in range(18)]
    odd = [{"at": "yesterday", "ms": 0}, {"at": "2025-02-30T08:00:00Z", "ms": -1}]
    notes: list[str] = []
    fields = record_fields.of_rows([odd[0], *rows, odd[1]], notes)
    in_texts, in_numbers = (event_time_guess.choose(fields, named) for named in (None, "ms"))
    assert (in_texts.name, in_texts.odd, in_numbers.odd) == ("at", 2, 2)
    assert notes == ["field at: 2 of 20 are no times; a job puts these into quarantine (wrong_type)"]
    assert in_numbers.words == "its numbers look like milliseconds since 1970, but for 2 of 20"
    assert record_test.pick(fields, [odd[0], *rows])[0] == rows[0]
    fewer = record_fields.of_rows([*odd, *rows[1:]], [])
    assert event_time_guess.choose(fewer, None).name is None
