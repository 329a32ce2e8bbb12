"""Who takes part in the benchmark, with which command line, and in which order."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import bench_plan
import flink_install
import flink_job
import pytest
import run as bench_run
from bench_input import Input
from bench_plan import Entry
from contenders import Contender, Results, contenders

from jobs.admin.jars import read_list
from jobs.running.errors import Refused

ROOT = Path(__file__).parent.parent
ARCHIVE = Input("/archive", "page_view", 4, 1_000_000, 1, 500_000, 2)
KAFKA = Input("/archive", "page_view_1000000_zstd", 4, 1_000_000, 1, 500_000, 2, "127.0.0.1:9")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, str], Path]:
    """Makes a shell script in the test's folder."""

    def make(name: str, script: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def flink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str, str], Path]) -> Path:
    """An environment for Flink whose Python prints Java's flags, the Python path and its arguments, a line each."""
    program("flink/bin/python", 'printf "%s\\n" "$JAVA_TOOL_OPTIONS" "$PYTHONPATH" "$@"')
    folder = tmp_path / "flink"
    (folder / "jars").mkdir()
    (folder / "jars" / "connector-1.jar").touch()
    (folder / "ready").touch()
    monkeypatch.setattr(flink_job, "FOLDER", folder)
    return folder


def printed(command: list[str]) -> list[str]:
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": "/headrace"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_flink_runs_in_its_own_environment_with_all_its_jars(flink: Path, tmp_path: Path) -> None:
    java, python_path, script, *arguments = printed(contenders()["flink"].command(KAFKA, tmp_path))
    assert (java, python_path) == ("", "")
    assert Path(script) == ROOT / "tests" / "bench" / "flink_sql.py" and Path(script).exists()
    options, jars = arguments[: arguments.index("--jars")], arguments[arguments.index("--jars") + 1 :]
    assert options == [
        *("--topic", "page_view_1000000_zstd", "--servers", "127.0.0.1:9"),
        *("--out", str(tmp_path), "--cores", "2"),
    ]
    assert jars[0] == str(flink / "jars" / "connector-1.jar")
    assert [Path(jar).name.rstrip(".0123456789jar-") for jar in jars[1:]] == [
        "hadoop-client-api",
        "hadoop-client-runtime",
        "zstd-jni",
    ]
    assert all(Path(jar).is_file() for jar in jars)


def test_small_flink_has_the_flags_that_headrace_gives_java(flink: Path, tmp_path: Path) -> None:
    java = printed(contenders()["flink-small"].command(KAFKA, tmp_path))[0].split()
    rows = [line.split(None, 1) for line in (ROOT / "conf" / "spark-local.conf").read_text().splitlines()]
    profile = dict(row for row in rows if len(row) == 2)
    assert f"-Xmx{profile['spark.driver.memory'].strip()}" in java
    assert set(java[:-1]) <= set(profile["spark.driver.extraJavaOptions"].split()) and len(java) == 3


def test_without_an_environment_flink_is_left_out_with_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flink_job, "FOLDER", tmp_path / ".flink")
    chosen, lines = bench_run.taking_part(bench_run.arguments(["--contenders", "flink", "flink-small", "numpy"]))
    assert [contender.name for contender in chosen] == ["duckdb", "numpy"]
    assert lines == [
        f"{name} is left out. Flink is not installed in .flink/: make flink installs it"
        for name in ("flink", "flink-small")
    ]


def test_with_one_it_takes_part_and_so_does_all_but_plain_with_defaults(flink: Path) -> None:
    chosen, lines = bench_run.taking_part(bench_run.arguments([]))
    assert [one.name for one in chosen] == ["duckdb", "plain-tuned", "headrace", "flink", "flink-small", "numpy"]
    assert lines == []


def test_each_reads_the_homes_that_it_can(flink: Path) -> None:
    pairs = bench_plan.entries(list(contenders().values()), [ARCHIVE, KAFKA])
    assert [entry.name for entry in pairs if "plain" not in entry.name] == [
        *("duckdb-archive", "headrace-archive", "headrace-kafka"),
        *("flink-kafka", "flink-small-kafka", "numpy-kafka"),
    ]


def contender(name: str, *, once: bool = False, homes: tuple[str, ...] = ("archive",)) -> Contender:
    def load(_: Path) -> Results:
        raise NotImplementedError

    return Contender(name, lambda log, out: [], load, True, (6, 9), homes, once=once)


def test_repeats_begin_with_another_contender_each_and_the_oracle_comes_first() -> None:
    pairs = [Entry(contender(name, once=name == "oracle"), ARCHIVE) for name in ("oracle", "a", "b", "c")]
    order = "".join(entry.contender.name[0] for entry in bench_plan.turns(pairs, 3))
    assert order == "oabc" + "bca" + "cab"
    assert Counter(order) == {"o": 1, "a": 3, "b": 3, "c": 3}


def test_it_is_said_about_how_long_it_takes() -> None:
    known = [contender("oracle", once=True), contender("a", homes=("archive", "kafka"))]
    # Two million records: 15 s a million to write into each home, 10 s for the broker at rest; a run is 6 + 2 * 9 s,
    # of the oracle one, of the other three from each home.
    seconds = 2 * 2 * 15 + 10 + (1 + 3 * 2) * 24
    assert bench_plan.minutes(known, ["archive", "kafka"], [2_000_000], 3) == pytest.approx(seconds / 60)


def test_flink_takes_the_first_python_that_runs_and_is_not_too_new(program: Callable[[str, str], Path]) -> None:
    broken, new = program("python3.11", "exit 127"), program("python3", "echo 3 13")
    good, also = program("python3.12", "echo 3 12"), program("python3.10", "echo 3 10")
    found = flink_install.interpreter(map(str, (broken, new, good, also)))
    assert found == str(good)


def test_without_one_it_says_which_python_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str, str], Path]
) -> None:
    monkeypatch.setattr(flink_install, "candidates", lambda: [str(program("python3", "echo 3 13"))])
    with pytest.raises(Refused, match=r"cannot be installed: it needs Python 3\.9 to 3\.12 on the PATH"):
        flink_install.install(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_list_of_flinks_jars_can_be_fetched() -> None:
    assert {artifact for _, artifact, _, digest in read_list(flink_install.JARS) if len(digest) == 64} == {
        "flink-sql-connector-kafka",
        "flink-sql-parquet",
    }
