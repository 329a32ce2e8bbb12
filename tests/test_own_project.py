"""A project of one's own: headrace is installed from its wheel, and a folder has nothing but one's schema and job."""

import csv
import io
import json
import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.run import session
from jobs.running import project
from jobs.running.errors import Refused
from jobs.running.java import profile
from jobs.running.places import read_places
from tests import image
from tests.pages import HOURS, ROOT, TUTORIAL, blocks, hours, page

Typed = Callable[..., "subprocess.CompletedProcess[str]"]
RECORDS = "trips.ndjson"


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the steps of the Dockerfile were run: an environment with the wheel, and the folder of a project."""
    folder = tmp_path_factory.mktemp("image")
    image.build(folder)
    return folder


@pytest.fixture(scope="module")
def installed(image_folder: Path) -> Path:
    """The programs of that environment."""
    return image.programs(image_folder)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with the files of the tutorial, and jars."""
    for name, _, content in blocks(page(TUTORIAL)):
        if name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
    (tmp_path / ".jars").symlink_to(ROOT / ".jars")
    return tmp_path


@pytest.fixture
def typed(installed: Path) -> Typed:
    """Runs a program of that environment in a folder."""
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "JAVA_HOME", "LANG", "USER")}
    path = os.pathsep.join([str(installed), os.environ["PATH"]])

    def run(*command: str, folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        whole = [str(installed / command[0]), *command[1:]]
        environment = kept | {"PATH": path} | variables
        return subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True, timeout=400)

    return run


RIDES: list[dict[str, Any]] = [
    {"at": f"2025-05-05T0{8 + n // 6}:{n % 6}0:00Z", "rider": f"r{n % 3}", "zone": "ab"[n % 2], "km": n}
    for n in range(12)
]
"""Six in each of two hours; zone a has the even ones."""


@pytest.mark.slow
def test_from_a_file_of_records_to_a_tested_result(own: Path, typed: Typed) -> None:
    """The commands that headrace new prints, as they are; the test of docs/testing.md runs beside the one it writes."""
    (own / "rides.ndjson").write_text("".join(f"{json.dumps(ride)}\n" for ride in RIDES))
    new = typed("headrace", "new", "rides", "--sample", "rides.ndjson", folder=own)
    assert new.returncode == 0, new.stderr
    check, test, produce, run, query = [line.split(maxsplit=1)[1] for line in new.stdout.splitlines()[-5:]]
    [(name, _, content)] = [block for block in blocks(page("docs/testing.md")) if block[0]]
    assert name
    (own / name).write_text(content)
    assert shlex.split(test) == ["tests/test_rides.py"]
    tested = typed("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", folder=own)
    assert tested.returncode == 0 and "3 passed" in tested.stdout, tested.stdout
    for command in (produce, run):
        done = typed("headrace", *shlex.split(command), folder=own)
        assert done.returncode == 0, done.stderr
    shown = typed("headrace", *shlex.split(query), "--csv", folder=own)
    found = {tuple(row.values())[1:] for row in csv.DictReader(io.StringIO(shown.stdout))}
    expected = {
        (zone, "3", str(sum(ride["km"] for ride in rides) / 3), "3")
        for rides, zone in ((RIDES[hour + first : hour + 6 : 2], "ab"[first]) for hour in (0, 6) for first in (0, 1))
    }
    assert found == expected, shown.stdout
    assert shlex.split(check) == ["check", "jobs/rides.py"]


@pytest.mark.slow
def test_the_tutorial_in_a_folder_of_ones_own(own: Path, typed: Typed) -> None:
    where = typed("python", "-c", "import jobs, schemas.trip; print(jobs.__file__, schemas.trip.__file__)", folder=own)
    assert str(ROOT) not in where.stdout and str(own / "schemas" / "trip.py") in where.stdout, where.stderr
    filled = typed("headrace", "produce", "trips", RECORDS, "--key", "bike", "--timestamp", "ended_time", folder=own)
    assert filled.returncode == 0, filled.stderr
    run = typed("headrace", "run", "jobs/trip_duration.py", folder=own)
    assert run.returncode == 0 and "trip_duration: 8 records" in run.stderr, run.stderr
    assert hours(own / "data" / "tables" / "trip_duration_v1") == HOURS
    below = own / "notes"
    below.mkdir()
    status = typed("headrace", "status", "trip_duration_v1", folder=below)
    assert "8 read, 7 good" in status.stdout, status.stderr
    elsewhere = typed("headrace", "status", folder=own, HEADRACE_TABLES="other")
    assert f"no results yet in {own}/conf/other" in elsewhere.stdout


@pytest.mark.slow
def test_the_image_has_what_a_run_needs(image_folder: Path, typed: Typed) -> None:
    project_folder = image_folder / "last" / "project"
    assert {path.name for path in project_folder.iterdir()} == {".jars", "constraints.txt", "data"}
    assert (project_folder / "data").stat().st_mode & 0o777 == 0o777
    shown = typed("headrace", *json.loads(dict(image.instructions())["CMD"]), folder=project_folder)
    assert shown.returncode == 0 and "Usage" in shown.stdout


@pytest.mark.slow
def test_what_is_no_job_is_told_before_java_starts(own: Path, typed: Typed) -> None:
    (own / "jobs" / "empty.py").write_text('"""Nothing."""\n')
    (own / "jobs" / "wrong.py").write_text("from jobs.answers.result import Result\n\nRESULT = Result(1 / 0)\n")
    for command, said in {
        ("jobs/empty.py",): "jobs/empty.py has no function main: it is no job file",
        ("jobs/wrong.py",): "jobs/wrong.py, line 3: ",
        ("jobs/none.py",): "there is no job file jobs/none.py",
        ("jobs/trip_duration.py", "jobs/trip_duration.py", "--continuous", "1 second"): "start one process for each",
        ("jobs/trip_duration.py", "--continuous", "1 sec"): "is not a time between batches",
    }.items():
        done = typed("headrace", "run", *command, folder=own)
        assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1, (command, done.stderr)


def test_jars_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="headrace jars fetches them"):
        session(profile(tmp_path / "conf" / "spark-local.conf"))


def test_settings_of_a_project_without_any(tmp_path: Path) -> None:
    (tmp_path / ".jars").mkdir()
    settings = profile(tmp_path / "conf" / "spark-local.conf")
    assert settings["spark.driver.extraClassPath"] == f"{tmp_path}/.jars/*"
    log = project.default_file("log4j2.properties")
    assert log.exists() and f"-Dlog4j2.configurationFile=file://{log} " in settings["spark.driver.extraJavaOptions"]


def test_variables_come_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "places.toml"
    file.write_text('log = "kafka"\narchive = "a"\ntables = "t"\ncheckpoints = "c"\n[kafka]\nservers = "127.0.0.1:1"\n')
    monkeypatch.setenv("HEADRACE_TABLES", "s3://bucket/tables")
    monkeypatch.setenv("HEADRACE_KAFKA__SERVERS", "127.0.0.1:2")
    monkeypatch.setenv("headrace_kafka__username", "reader")
    monkeypatch.setenv("HEADRACE_DATABASES__STORE__URL", "postgresql://auditor@127.0.0.1/store")
    monkeypatch.setenv("HEADRACE_DEBUG", "1")
    places = read_places(file)
    assert places.tables == "s3://bucket/tables" and places.archive == str(tmp_path / "a")
    assert places.kafka and (places.kafka.servers, places.kafka.username) == ("127.0.0.1:2", "reader")
    assert places.databases["store"].url == "postgresql://auditor@127.0.0.1/store"
    monkeypatch.setenv("HEADRACE_TABELS", "x")
    with pytest.raises(Refused, match=r"HEADRACE_TABELS, which is no setting\. Did you mean HEADRACE_TABLES\?"):
        read_places(file)
    monkeypatch.delenv("HEADRACE_TABELS")
    monkeypatch.setenv("HEADRACE_KAFKA", "127.0.0.1:2")
    with pytest.raises(Refused, match=r"places\.toml and the environment: kafka: "):
        read_places(file)


def test_a_place_of_the_environment_has_no_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PLACES", str(tmp_path / "none.toml"))
    assert project.places_file() == tmp_path / "none.toml"
    with pytest.raises(Refused, match="cannot read the places file"):
        read_places(project.places_file())
