"""Starting a job: places, Java, and errors that a person can act on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import run
from jobs.keeping.ledger import Row

ROOT = Path(__file__).parent.parent.parent


def test_places_start_at_their_file(tmp_path: Path) -> None:
    file = tmp_path / "conf" / "mine.toml"
    file.parent.mkdir()
    file.write_text('archive = "../a"\ntables = "/t"\ncheckpoints = "s3a://bucket/c"\n')
    found = run.places(file)
    assert (found.archive, found.tables, found.checkpoints) == (f"{tmp_path}/a", "/t", "s3a://bucket/c")
    assert found.log == "archive"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('archive = "a"\ntables = "t"\n', "checkpoints is missing."),
        (
            'archive = "a"\ntables = "t"\ncheckpoints = "c"\nspeed = 3\n',
            "there is no field speed; there are archive, checkpoints, databases, deliveries, kafka, log,",
        ),
        (
            'log = "tape"\ntables = "t"\ncheckpoints = "c"\narchiv = "a"\n[kafka]\nservers = "h:1"\nserver = "h:1"\n',
            "there is no field kafka.server, did you mean servers?; there is no field archiv, did you mean archive?; "
            "log: Input should be 'archive' or 'kafka'; archive is missing.",
        ),
        ('archive = "a"\ntables = "t"\ncheckpoints = "c"\n"sp\\need" = 3\n', "there is no field 'sp\\need'"),
        ('log = "tape"\narchive = "a"\ntables = "t"\ncheckpoints = "c"\n', "log: Input should be 'archive'"),
        ('archive = "a"\ntables = "wasb://n/t"\ncheckpoints = "c"\n', "tables is on wasb://"),
        ('archive = "s3a://b/a"\ntables = "t"\ncheckpoints = "c"\n', "archive is on s3a://"),
        ("archive = \n", "is not TOML"),
        (None, "No such file"),
    ],
)
def test_wrong_places_are_refused_in_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "places.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(run.Refused) as refused:
        run.places(file)
    assert said in str(refused.value) and str(file) in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("at", ["s3://bucket", "gs://bucket", "abfss://container@account.dfs.core.windows.net"])
def test_places_may_be_on_object_storage(tmp_path: Path, at: str) -> None:
    file = tmp_path / "places.toml"
    file.write_text("".join(f'{name} = "{at}/{name}"\n' for name in ("archive", "tables", "checkpoints")))
    assert run.places(file).table("x_v1") == f"{at}/tables/x_v1"


def java(folder: Path, version: str) -> Path:
    """A folder with a `java` that says it is of this version."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    return folder


def test_java_that_is_missing_or_too_old_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", f"{tmp_path}/nowhere")
    with pytest.raises(run.Refused, match=r"there is no Java at .*nowhere"):
        run.check_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(run.Refused, match="no Java on the PATH"):
        run.check_java()
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "old", "1.8.0_292")))
    with pytest.raises(run.Refused, match="is Java 8, which is too old"):
        run.check_java()
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "new", "21.0.1")))
    run.check_java()


def test_make_asks_for_java_before_any_package_is_there(tmp_path: Path) -> None:
    """-S: without packages."""
    asked = [sys.executable, "-S", "-m", "jobs.running.java"]
    without = subprocess.run(asked, env={"PATH": str(tmp_path)}, cwd=ROOT, capture_output=True, text=True, check=False)
    assert without.returncode == 1
    assert without.stderr.startswith("headrace: there is no Java on the PATH. ")
    assert "apt install openjdk-17-jre-headless" in without.stderr and without.stderr.count("\n") == 1
    there = {"PATH": f"{java(tmp_path / 'new', '21.0.1')}/bin{os.pathsep}{os.environ['PATH']}"}
    assert subprocess.run(asked, env=there, cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("java.io.IOException: No space left on device", "the disk is full"),
        ("java.io.FileNotFoundException: /data/t/_delta_log/1.json (Permission denied)", "permission denied"),
        ("java.net.BindException: Address already in use", "a port is in use"),
        ("[DELTA_CONCURRENT_APPEND] values of a record: secret", "DELTA_CONCURRENT_APPEND"),
    ],
)
def test_known_failures_are_explained(words: str, said: str) -> None:
    line = run.explain(RuntimeError(words))
    assert said in line and "secret" not in line and "\n" not in line


def test_a_job_without_its_topic_ends_with_one_line_and_code_1(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    places = tmp_path / "conf" / "places.toml"
    places.write_text('archive = "../a"\ntables = "../t"\ncheckpoints = "../c"\n')
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAVA_HOME": str(java(tmp_path / "old", "11.0.2"))}
    (tmp_path / "conf" / run.LOCAL_PROFILE).write_text("spark.master local[1]\n")
    command = [sys.executable, "jobs/departure_delay.py", "--places", str(places)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "Z ERROR " in line and "too old" in line


def test_a_topic_that_is_not_there_ends_the_job_with_one_line(tmp_path: Path) -> None:
    places = tmp_path / "places.toml"
    places.write_text('archive = "archive"\ntables = "tables"\ncheckpoints = "checkpoints"\n')
    submit = Path(sys.executable).parent / "spark-submit"
    command: list[str | Path] = [
        submit,
        "--properties-file",
        "conf/spark-local.conf",
        "jobs/departure_delay.py",
        "--places",
        places,
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    *first, line = done.stdout.splitlines()  # spark-submit sends all that Python says there
    assert ["starting Java and Spark" in line for line in first] == [True]
    assert "Z ERROR topic departures has no records in" in line and "headrace produce departures" in line


@pytest.mark.parametrize("file", sorted((ROOT / "conf").glob("*.toml")), ids=lambda file: file.stem)
def test_the_places_that_come_with_the_project_can_be_read(file: Path) -> None:
    assert run.places(file).tables


def test_what_numbers_and_secrets_depend_on_is_the_same_on_a_cluster() -> None:
    local, cluster = (run.profile(ROOT / "conf" / f"spark-{name}.conf") for name in ("local", "cluster"))
    sizes = ("spark.driver.memory", "spark.sql.shuffle.partitions", "spark.databricks.delta.snapshotPartitions")
    of_a_laptop: tuple[str, ...] = (
        "spark.master",
        "spark.driver.host",
        "spark.driver.bindAddress",
        "spark.driver.extraClassPath",
    )
    of_a_laptop += ("spark.sql.streaming.checkpointFileManagerClass", "spark.hadoop.fs.defaultFS")  # HDFS on a cluster
    of_a_laptop += ("spark.python.daemon.module",)  # executors may have no project when it starts
    of_other_machines = ("spark.executor.", "spark.executorEnv.", "spark.yarn.", "spark.kubernetes.")
    differ = {*sizes, *of_a_laptop, "spark.ui.enabled", "spark.driver.extraJavaOptions"}
    assert {name: value for name, value in local.items() if name not in differ} == {
        name: value
        for name, value in cluster.items()
        if name not in {*differ, "spark.jars"} and not name.startswith(of_other_machines)
    }
    assert cluster["spark.executor.defaultJavaOptions"] == cluster["spark.driver.defaultJavaOptions"]
    barred = "-Dorg.apache.kafka.disallowed.login.modules"
    options = [local["spark.driver.extraJavaOptions"]]
    options += [cluster[f"spark.{part}.extraJavaOptions"] for part in ("driver", "executor")]
    assert len({next(word for word in said.split() if word.startswith(barred)) for said in options}) == 1


@pytest.mark.usefixtures("spark")
def test_each_argument_of_a_job_reaches_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("conf", ".jars"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "conf" / run.LOCAL_PROFILE, tmp_path / "conf")
    (tmp_path / "conf" / "p.toml").write_text('archive = "a"\ntables = "t"\ncheckpoints = "c"\n')
    places = ["--places", str(tmp_path / "conf" / "p.toml")]
    seen: list[run.Run] = []
    monkeypatch.setattr(sys, "argv", ["job", "one", "two", *places, "--accept-loss", "--start", "latest"])
    run.start(seen.append, topics=True)
    monkeypatch.setattr(sys, "argv", ["job", *places, "--continuous", "10 seconds"])
    run.start(seen.append)
    said = [(each.topics, each.accept_loss, each.start, each.continuous) for each in seen]
    assert said == [(("one", "two"), True, "latest", None), ((), False, None, "10 seconds")]


@pytest.mark.usefixtures("spark")
@pytest.mark.parametrize(("records", "quarantined", "code"), [(4, 4, 3), (4, 3, None), (0, 0, None)])
def test_a_run_in_which_no_record_was_good_has_an_exit_code_of_its_own(
    records: int, quarantined: int, code: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("conf", ".jars"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "conf" / run.LOCAL_PROFILE, tmp_path / "conf")
    (tmp_path / "conf" / "p.toml").write_text('archive = "a"\ntables = "t"\ncheckpoints = "c"\n')
    monkeypatch.setattr(sys, "argv", ["job", "--places", str(tmp_path / "conf" / "p.toml")])
    row = Row(2, "batch", 1, 0, records=records, quarantined=quarantined)
    ended: int | str | None = None
    try:
        run.start(lambda job: job.closed("r_v1", row, None))
    except SystemExit as left:
        ended = left.code
    assert ended == code
