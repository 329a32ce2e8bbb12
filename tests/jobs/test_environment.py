"""What a machine is set to does not reach the tables: language, time zone, encoding, odd names of folders, no name."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyspark
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from jobs import run
from jobs.keeping import fast_pass
from jobs.lake import commits, delta_tables
from jobs.log.archive import writer
from jobs.publishing import stored_panes
from jobs.running import java, jvm
from tests import delta
from tests.jobs.keeping import readings, small

ROOT = Path(__file__).parent.parent.parent
ODD = " p !\"$%&'()*+,-.:;<=>@_`{}~é😀 %4 "
"""A folder's name that every library opens."""
HEADRACE = ("-c", "from jobs.admin.headrace import main; main()")
FOREIGN = {
    "JAVA_TOOL_OPTIONS": "-Duser.language=ar -Duser.country=EG -Duser.timezone=Asia/Tokyo",
    "LC_ALL": "C",
    "LANG": "ar_EG.UTF-8",
    "TZ": "Asia/Tokyo",
}


def python(*command: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a process whose environment has these too."""
    whole = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=whole, capture_output=True, encoding="utf-8", check=False
    )


def places_file(folder: Path, archive: str = "archive") -> Path:
    """A places file in `folder`, its tables beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "places.toml"
    file.write_text(f"archive = '{archive}'\ntables = 'tables'\ncheckpoints = 'checkpoints'\n", encoding="utf-8")
    return file


APPENDS = """
import sys
from pathlib import Path
from pyspark.sql import functions as F
from jobs import run
from jobs.lake import commits, delta_tables

spark = run.session(run.profile(Path("conf") / run.LOCAL_PROFILE))
rows = spark.range(3).withColumn("at", F.lit("2025-05-05 12:00:00").cast("timestamp"))
delta_tables.SMALL_BYTES = -1
delta_tables.create(sys.argv[1], rows.schema, (), "A table.")
delta_tables.append(rows, sys.argv[1], commits.Commit("j", "g", 1, "s", {}, {}), {})
"""


def test_delta_of_spark_writes_the_same_on_a_machine_with_other_habits(tmp_path: Path) -> None:
    """Its options of Java come before ours and after them."""
    last = {"_JAVA_OPTIONS": FOREIGN["JAVA_TOOL_OPTIONS"]}
    done = python("-c", APPENDS, tmp_path / "é", **FOREIGN, **last)
    assert done.returncode == 0, done.stderr
    noon = datetime(2025, 5, 5, 12, tzinfo=UTC)
    assert sorted(row["id"] for row in delta.rows(tmp_path / "é")) == [0, 1, 2]
    assert {row["at"] for row in delta.rows(tmp_path / "é")} == {noon}
    commit = tmp_path / "é" / "_delta_log" / "00000000000000000001.json"
    assert '"engineInfo":"Apache-Spark' in commit.read_text(encoding="utf-8")


def test_tables_are_right_in_a_folder_with_an_odd_name(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In small writes, which Spark does not do, and in large ones."""
    writer.append(f"{tmp_path}/{ODD}/archive", "readings", readings.PARTITIONS, [readings.batch(small.LOG[:6])])
    rows, commit = pa.table({"id": [1, 2]}), commits.Commit("j", "g", 1, "s", {}, {})
    delta_tables.create(f"{tmp_path}/{ODD}/small", StructType([StructField("id", LongType())]), (), "A table.")
    delta_tables.append(rows, f"{tmp_path}/{ODD}/small", commit, {})
    delta_tables.replace(rows.slice(0, 1), f"{tmp_path}/{ODD}/small", "id = 1", replace(commit, step="r"))
    assert sorted(row["id"] for row in delta.rows(tmp_path / ODD / "small")) == [1, 2]
    for module, limit in ((stored_panes, "MOST_PANES"), (delta_tables, "SMALL_BYTES"), (fast_pass, "FEW_RECORDS")):
        monkeypatch.setattr(module, limit, -1)
    small.keep(spark, tmp_path / ODD)
    assert small.counted(tmp_path / ODD) == small.expected(small.LOG[:6])
    quarantined = delta.rows(tmp_path / ODD / "tables" / "small_v1_quarantine")
    assert sorted(row["offset"] for row in quarantined) == [record.offset for record in small.LOG[:6] if record.bad]
    assert delta.commits_of_spark(tmp_path / ODD / "tables" / "small_v1") == 1
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {ODD}


@pytest.mark.parametrize("profile", ["local", "cluster"])
@pytest.mark.parametrize(
    "habit",
    [
        "-Duser.language=ar -Duser.country=EG -Duser.timezone=Asia/Tokyo",
        "-Duser.language.format=fa -Duser.country.format=IR -Duser.language.display=tr -Dfile.encoding=ISO-8859-1",
    ],
)
def test_the_profile_says_language_zone_and_encoding_of_each_java(profile: str, habit: str) -> None:
    settings = run.profile(ROOT / "conf" / f"spark-{profile}.conf")
    pinned = [options for name, options in settings.items() if name.endswith("defaultJavaOptions")]
    assert len(pinned) == (2 if profile == "cluster" else 1)
    for options in pinned:
        command = [java.check_java(), *options.split(), "-XshowSettings:all", "-version"]
        environment = os.environ | {"JAVA_TOOL_OPTIONS": habit}
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr
        lines = [line.strip() for line in said.splitlines()]
        assert [line for line in lines if line.startswith("default ") and "locale" in line] == [
            f"default {which}locale = English (United States)" for which in ("", "display ", "format ")
        ]
        assert {"user.timezone = UTC", "file.encoding = UTF-8"} <= {*lines}


def test_the_driver_has_our_language_and_zone_whatever_started_it(spark: SparkSession) -> None:
    util = spark._jvm.java.util  # type: ignore[union-attr]
    try:
        util.Locale.setDefault(util.Locale.forLanguageTag("ar-EG"))
        util.TimeZone.setDefault(util.TimeZone.getTimeZone("Asia/Tokyo"))
        assert run.session() is spark
        assert util.Locale.getDefault(util.Locale.Category.FORMAT).toString() == "en_US"
        assert util.TimeZone.getDefault().getID() == "UTC"
    finally:
        jvm.pin_locale(spark)


NOW = pa.array([datetime(2025, 5, 5, tzinfo=UTC)], pa.timestamp("us", "UTC"))
RECORD = pa.record_batch({"key": pa.array([b"k"]), "value": pa.array([b"{}"]), "timestamp": NOW})


@pytest.mark.parametrize(
    ("name", "sign"),
    [
        *((f"a{sign}b", sign) for sign in "[]^|\\"),
        ("a%41b", "%41"),
        ("a%2fb", "%2f"),
        ("a\tb", "\\t"),
        ("a\nb", "\\n"),
        ("a\x1bb", "\\x1b"),
        ("a\x7fb", "\\x7f"),
    ],
)
def test_a_folder_that_deltalake_cannot_open_is_refused_by_name(tmp_path: Path, name: str, sign: str) -> None:
    with pytest.raises(run.Refused) as refused:
        run.places(places_file(tmp_path / name))
    said = str(refused.value)
    assert "archive is " in said and f" {sign} " in said and "move it to a folder without" in said
    assert said.isprintable()
    with pytest.raises(ValueError, match="checkpoints is "):
        run.Places(archive="/a", tables="/t", checkpoints=f"/{name}")
    with pytest.raises(BaseException):  # noqa: B017  what Rust calls a panic is no Exception
        writer.append(str(tmp_path / name), "t", 1, [RECORD])
        raise AssertionError("deltalake opens it now: it need not be refused") from None


@pytest.mark.parametrize("sign", ["#", "?"])
def test_a_folder_in_which_deltalake_finds_no_commits_is_refused(tmp_path: Path, sign: str) -> None:
    """There nobody could see that a step is written already, and a batch that is tried again would be doubled."""
    with pytest.raises(run.Refused, match=rf"archive is .* opens no path with \{sign} in it: move it to a folder"):
        run.places(places_file(tmp_path / f"a{sign}b"))
    path = tmp_path / f"a{sign}b" / "table"
    write_deltalake(str(path), pa.table({"id": [1]}))
    assert DeltaTable(str(path)).history() == [], "deltalake finds them now: it need not be refused"


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/\xff"))
    with pytest.raises(run.Refused, match="whose name is not UTF-8") as refused:
        run.places(places_file(folder))
    assert str(refused.value).isprintable()


def test_an_encoding_without_the_letters_of_a_folder_is_refused(tmp_path: Path) -> None:
    """Python would hand other letters on than those of the folder."""
    made = subprocess.run(
        ["localedef", "-i", "en_US", "-f", "ISO-8859-1", tmp_path / "en_US.ISO-8859-1"],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("no locales can be made here")
    file = places_file(tmp_path / "é")
    latin = {"LOCPATH": str(tmp_path), "LC_ALL": "en_US.ISO-8859-1"}
    done = python(*HEADRACE, "status", "--places", file, **latin)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "archive is " in line and line.endswith("start it with LC_ALL=C.UTF-8.")
    file = places_file(tmp_path / "e")
    writer.append(str(tmp_path / "e" / "archive"), "t", 1, [RECORD.set_column(1, "value", pa.array(["€😀".encode()]))])
    done = python(*HEADRACE, "read", "t", "--places", file, **latin)
    assert '"value": "\\u20ac\\ud83d\\ude00"' in done.stdout


def test_a_java_that_would_open_other_folders_is_refused(spark: SparkSession, places: run.Places) -> None:
    """Its locale, or the file system that the machine's Hadoop is set to."""
    file, system = Path("p.toml"), spark._jvm.java.lang.System  # type: ignore[union-attr]
    elsewhere = places.model_copy(update={"tables": "/données"})
    java.check_names(spark, elsewhere, file)
    before = system.getProperty("sun.jnu.encoding")
    try:
        system.setProperty("sun.jnu.encoding", "ANSI_X3.4-1968")
        java.check_names(spark, places, file)
        with pytest.raises(run.Refused, match=r"p\.toml: tables is /données.*Start spark-submit with LC_ALL=C\.UTF-8"):
            java.check_names(spark, elsewhere, file)
    finally:
        system.setProperty("sun.jnu.encoding", before)
    hadoop = spark._jsc.hadoopConfiguration()
    try:
        hadoop.set("fs.defaultFS", "hdfs://name:8020")
        with pytest.raises(run.Refused, match=r"archive is .*, which Spark would look for on hdfs://name:8020"):
            java.check_names(spark, places, file)
        java.check_names(spark, run.Places(archive="hdfs://n/a", tables="hdfs://n/t", checkpoints="hdfs://n/c"), file)
    finally:
        hadoop.unset("fs.defaultFS")


def test_a_places_file_whose_name_spark_submit_has_cut_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    with pytest.raises(run.Refused, match=r"cannot read the places file /donn\?\?es/p\.toml.*LC_ALL=C\.UTF-8"):
        run.places(Path("/donn??es/p.toml"))


def test_paths_of_a_profile_are_written_as_their_readers_need_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "a 'b' \"c\"\\d,e"
    (root / "conf").mkdir(parents=True)
    options = "-XX:SharedArchiveFile=.jars/c.jsa -Dlog4j2.configurationFile=conf/l.properties -Dx=myconf/y"
    profile = f"spark.driver.extraClassPath .jars/*\nspark.driver.extraJavaOptions {options}\n"
    (root / "conf" / "p.conf").write_text(profile)
    read = run.profile(root / "conf" / "p.conf")
    words = [word for name, value in read.items() for word in ("--conf", f"{name}={value}")]
    # What Spark makes of it: the command that starts Java, its words ended by zeros.
    launcher = [java.check_java(), "-cp", f"{Path(pyspark.__file__).parent}/jars/*", "org.apache.spark.launcher.Main"]
    launcher += ["org.apache.spark.deploy.SparkSubmit", *words]
    home = {"SPARK_HOME": str(Path(pyspark.__file__).parent), "SPARK_SCALA_VERSION": "2.13"}
    command = [*launcher, "pyspark-shell"]
    made = subprocess.run(command, env=os.environ | home, capture_output=True, encoding="utf-8", check=True).stdout
    words = made.strip("\0\n").split("\0")
    assert words[words.index("-cp") + 1].startswith(f"{root}/.jars/*:")
    address = f"file://{tmp_path}/a%20%27b%27%20%22c%22%5Cd%2Ce/conf/l.properties"
    assert {f"-XX:SharedArchiveFile={root}/.jars/c.jsa", f"-Dlog4j2.configurationFile={address}"} <= {*words}
    assert "-Dx=myconf/y" in words
    monkeypatch.chdir(root)
    assert run.profile(Path("conf/p.conf"))["spark.driver.extraJavaOptions"] == options


def test_a_class_path_with_a_colon_is_refused_unless_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a:b" / "conf" / "p.conf"
    file.parent.mkdir(parents=True)
    file.write_text("spark.driver.extraClassPath .jars/*\n")
    with pytest.raises(run.Refused, match=r"a:b: a colon ends a path there\. Start in that folder"):
        run.profile(file)
    monkeypatch.chdir(file.parent.parent)
    assert run.profile(file) == {"spark.driver.extraClassPath": ".jars/*"}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_user_without_a_name_is_told_what_spark_needs() -> None:
    program = "from jobs import run; import os; os.setuid(54321)\nwith run.one_line_errors(): run.session({})"
    done = python("-c", program, HOME="/nonexistent")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("headrace: user id 54321 has no name") and "/etc/passwd" in line and "nss_wrapper" in line


def test_commands_do_without_asserts_and_their_help_without_docstrings(tmp_path: Path) -> None:
    for command, level in (["jobs/departure_delay.py"], "1"), (HEADRACE, "1"), (HEADRACE, "2"):
        done = python(*command, "--help", PYTHONOPTIMIZE=level, LC_ALL="C")
        assert (done.returncode, done.stderr) == (0, "") and "USAGE" in done.stdout.upper()
    done = python(*HEADRACE, "status", "--places", places_file(tmp_path), PYTHONOPTIMIZE="2")
    assert done.returncode == 1 and done.stderr.splitlines() == [
        "headrace: delta-spark needs docstrings: start Python without -OO, and with PYTHONOPTIMIZE below 2."
    ]


def test_no_assert_does_anything() -> None:
    """Python leaves them out with PYTHONOPTIMIZE."""
    for node, place in nodes():
        if isinstance(node, ast.Assert):
            calls = {ast.unparse(call.func) for call in ast.walk(node.test) if isinstance(call, ast.Call)}
            assert calls <= {"isinstance"}, place


def nodes() -> Iterator[tuple[ast.AST, str]]:
    """Every node of our code, and where it is."""
    for path in (path for package in ("jobs", "schemas", "sketches") for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield node, f"{path}:{getattr(node, 'lineno', 1)}"


OURS = ("file_system(", "self._file.", "jvm.")
"""What opens a file otherwise: Hadoop as bytes, a file of `headrace produce` as bytes, jvm.read_text as UTF-8."""


NO_TEXT = ("os.open", "gzip.open", "tarfile.open", "opener.open")
"""Calls that open no text: the last one asks a web server."""


def test_no_text_is_read_or_written_in_the_encoding_of_the_machine() -> None:
    for node, place in nodes():
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = ast.unparse(node.func)
        if node.func.attr in ("open", "read_text", "write_text") and name not in NO_TEXT:
            binary = any(isinstance(value, ast.Constant) and "b" in str(value.value) for value in node.args)
            said = "encoding" in {word.arg for word in node.keywords}
            assert said or binary or name.startswith(OURS), place


@pytest.mark.parametrize(
    "words",
    [
        "org.apache.spark.SparkException: Python worker failed to connect back.",
        "java.net.SocketTimeoutException: Timed out while waiting for the Python worker to connect back",
        "[CANNOT_OPEN_SOCKET] Can not open socket: [\"tried to connect to ('127.0.0.1', 4711)\"].",
    ],
)
def test_a_machine_that_is_too_busy_is_explained(words: str) -> None:
    said = run.explain(RuntimeError(f"[STREAM_FAILED] Query [id = 4] terminated with exception: {words}"))
    assert "too busy" in said and "goes on where the tables stand" in said
