"""A mistake that is met while a result is kept is one line: file, line, what is wrong; never the value of a record."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs import run
from jobs.keeping import result_tables
from jobs.log.archive import writer
from jobs.running import mistakes
from sketches import bloom
from tests.jobs.running import job_files

ROOT = Path(__file__).parent.parent.parent.parent
SELECTED = 'events.select("event_time", "bike", minutes.alias("minutes"))'
SECRET = "Hunter2"
"""A value of a record that must not be printed."""

IN_THE_TRANSFORM = {
    "column": ('F.col("minutes").try', 'F.col("minuts").try', "there is no column minuts; did you mean minutes, "),
    "attribute": ('F.col("minutes").try', "events.minuts.try", "there is no column minuts"),
    "column in SQL": (SELECTED, 'events.selectExpr("event_time", "bik", "minutes")', "there is no column bik; did you"),
    "function": (SELECTED, 'events.selectExpr("event_time", "bike", "minuts(1)")', "Spark has no function minuts"),
    "arguments": (SELECTED, 'events.selectExpr("substring(bike) as bike")', "substring takes 2, 3 arguments, not 1"),
    "SQL": (SELECTED, 'events.selectExpr("cast(bike as string as bike")', "the SQL cannot be read at 'as'"),
    "table": (SELECTED, 'events.sparkSession.sql("select * from rides")', "there is no table rides; hand the frame"),
    "types": ('F.col("minutes").try_cast("int")', 'F.col("event_time") * 2', "incompatible types (TIMESTAMP and INT)"),
    "condition": (SELECTED, 'events.where("bike")', "the types do not fit: Filter expression ... of type STRING"),
    "field": ('F.col("minutes").try', 'F.col("bike.minutes").try', "STRUCT, ARRAY, MAP"),
    "and": (SELECTED, 'events.where(F.col("bike") == "a" and F.col("minutes") == "1")', "please use '&' for 'and'"),
    "number for a column": ('F.col("minutes").try', "F.upper(5).try", "should be Column or str, got int"),
    "name": ('F.col("minutes").try', 'G.col("minutes").try', "name 'G' is not defined"),
    "method": ("try_cast(", "trycast(", "'Column' object is not callable"),
    "key": ('F.col("minutes").try', 'F.col({}["minutes"]).try', "KeyError. Set HEADRACE_DEBUG=1"),
}

AT_THE_SELECT = ("column", "types", "field")
"""Spark sees a column that is wrong where a frame is asked for it."""


@pytest.mark.parametrize("mistake", IN_THE_TRANSFORM)
def test_a_mistake_in_a_transform(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spark: SparkSession
) -> None:
    old, new, said = IN_THE_TRANSFORM[mistake]
    file = job_files.write(tmp_path, change=(old, new))
    result = job_files.load(file, monkeypatch)["RESULT"]
    with pytest.raises(Exception) as failed:
        result_tables.definitions(spark, result)
    line = run.explain(failed.value)
    met = "return " if mistake in AT_THE_SELECT else new
    assert line.startswith(f"{file}, line {job_files.line_of(file, met)}: ") and said in line and "\n" not in line


def test_what_the_project_itself_checks_is_told_with_the_transform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spark: SparkSession
) -> None:
    file = job_files.write(tmp_path, change=('"bike", minutes', "minutes"))
    result = job_files.load(file, monkeypatch)["RESULT"]
    with pytest.raises(run.Mistake) as failed, mistakes.note_location(result.transform):
        result_tables.definitions(spark, result)
    line = run.explain(failed.value)
    where = f"{file}, line {job_files.line_of(file, 'def transform')}"
    assert line.startswith(f"{where}: rides_v1: the transform does not return bike; it returns ")


def test_checks_of_the_engine_are_never_lost_and_words_of_others_never_shown() -> None:
    with pytest.raises(ValueError) as own:
        bloom.size_for(0, 0.01)
    assert run.explain(own.value) == "no filter holds 0 keys at a false-positive rate of 0.01"
    with pytest.raises(ValueError) as other:
        json.loads(SECRET)
    line = run.explain(other.value)
    assert line.startswith("tests/") and "JSONDecodeError" in line and SECRET not in line
    with pytest.raises(ValueError) as raised:
        raise ValueError(SECRET)
    assert SECRET not in run.explain(raised.value)


NUMBER = 77_003
BY_A_RECORD = {
    "cast": (lambda: F.col("text").cast("int"), "CAST_INVALID_INPUT, STRING to INT", "try_cast"),
    "overflow of a cast": (lambda: F.col("number").cast("smallint"), "CAST_OVERFLOW, BIGINT to SMALLINT", "try_cast"),
    "division": (lambda: F.col("number") / F.lit(0), "DIVIDE_BY_ZERO", "F.try_divide"),
    "remainder": (lambda: F.col("number") % F.lit(0), "REMAINDER_BY_ZERO", "F.try_mod"),
    "sum": (lambda: F.col("number") + F.lit(2**63 - 1), "ARITHMETIC_OVERFLOW", "F.try_add"),
    "decimal": (lambda: F.col("number").cast("decimal(3,1)"), "NUMERIC_VALUE_OUT_OF_RANGE", "wider decimal"),
    "array": (lambda: F.split("text", ",")[7], "INVALID_ARRAY_INDEX", "F.get"),
    "element": (lambda: F.element_at(F.split("text", ","), 7), "INVALID_ARRAY_INDEX_IN_ELEMENT_AT", "F.try_element_at"),
    "time": (lambda: F.to_timestamp("text", "yyyy-MM-dd"), "CANNOT_PARSE_TIMESTAMP", "F.try_to_timestamp"),
    "date": (lambda: F.col("text").cast("date"), "CAST_INVALID_INPUT, STRING to DATE", "try_cast"),
    "url": (lambda: F.parse_url(F.concat(F.lit("http://["), "text"), F.lit("HOST")), "INVALID_URL", "try_"),
    "raised": (lambda: F.raise_error("text"), "USER_RAISED_EXCEPTION", "raise_error"),
    "map": (lambda: F.create_map("text", "number", "text", "number"), "DUPLICATED_MAP_KEY", "where"),
}


@pytest.mark.parametrize("what", BY_A_RECORD)
def test_a_record_that_cannot_be_computed(what: str, spark: SparkSession) -> None:
    make, condition, remedy = BY_A_RECORD[what]
    frame = spark.createDataFrame([(SECRET, NUMBER)], "text string, number bigint").repartition(1)
    with pytest.raises(Exception) as failed, mistakes.note_records("rides", {0: 4, 1: 7}, {0: 4, 1: 9, 2: 3}):
        frame.select(make()).collect()
    line = run.explain(failed.value)
    assert "a record among those of topic rides, partition 1 offsets 7 to 8, partition 2 offsets 0 to 2 (" in line
    assert f"({condition}" in line and remedy in line and "\n" not in line
    assert SECRET not in line and str(NUMBER) not in line


def test_no_value_reaches_standard_error_or_output(tmp_path: Path) -> None:
    """A job whose three results fail at one value: by Spark, with few and with many records, and in Python."""
    (tmp_path / "conf").mkdir()
    for name in (run.LOCAL_PROFILE, "log4j2.properties"):
        shutil.copy(ROOT / "conf" / name, tmp_path / "conf")
    with (tmp_path / "conf" / run.LOCAL_PROFILE).open("a") as profile:
        profile.write("spark.python.authenticate.socketTimeout 120s\n")  # a busy machine is no fault
    (tmp_path / ".jars").symlink_to(ROOT / ".jars")
    places = {name: f"{tmp_path}/{name}" for name in ("archive", "tables", "checkpoints")}
    (tmp_path / "conf" / "local.toml").write_text("".join(f'{name} = "{path}"\n' for name, path in places.items()))
    rides = [{"begun": f"2024-05-01T08:0{n}:00Z", "bike": "b", "minutes": SECRET if n == 5 else "7"} for n in range(9)]
    columns = [[None] * 9, [json.dumps(ride).encode() for ride in rides], [datetime(2024, 5, 1, 9, tzinfo=UTC)] * 9]
    kinds = [pa.binary(), pa.binary(), pa.timestamp("us", "UTC")]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    writer.append(places["archive"], "rides", 1, [pa.record_batch(arrays, ["key", "value", "timestamp"])])
    file = job_files.write(tmp_path, change=("    keeping.keep(run, RESULT)\n", FAILING))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(file), "--places", str(tmp_path / "conf" / "local.toml")]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert SECRET not in ended.stdout + ended.stderr
    [few, many], python = ended.stdout.splitlines(), ended.stderr.splitlines()[-1].partition(" ERROR ")[2]
    lines = [job_files.line_of(file, text) for text in ("def by_spark", "def by_spark", "return int(")]
    for said, line in zip((few, many, python), lines, strict=True):
        assert said.startswith(f"{file}, line {line}: the transform cannot compute a record among those of topic ")
        assert "topic rides, partition 0 offsets 0 to 8 (" in said
    assert "CAST_INVALID_INPUT" in few and "CAST_INVALID_INPUT" in many and "ValueError" in python
    assert ended.returncode == 1


FAILING = """
    from dataclasses import replace
    from jobs.keeping import fast_pass
    from jobs.running.errors import explain

    def by_spark(events):
        return events.select("event_time", "bike", F.col("minutes").cast("int").alias("minutes"))

    def number(text):
        return int(text)

    def by_python(events):
        return events.select("event_time", "bike", F.udf(number, "int")("minutes").alias("minutes"))

    def keep(name, transform):
        keeping.keep(run, replace(RESULT, name=name, reads=Reads(rides, transform)))

    for name, few in (("few_v1", 9), ("many_v1", 8)):
        fast_pass.FEW_RECORDS = few
        try:
            keep(name, by_spark)
        except Exception as error:
            print(explain(error))
    keep("python_v1", by_python)
"""
