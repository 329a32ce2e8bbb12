"""What the Python processes of a run import, and from where: the driver of spark-submit and the workers."""

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyspark
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import LongType, StructField, StructType

from jobs.events.arrow_step import ArrowStep
from jobs.running import jvm, worker_daemon
from tests.jobs.running import environments

ROOT = Path(__file__).parents[3]

SUBMITTED = """
import json
import sys

import pyspark

import jobs
from jobs import run
from jobs.events.arrow_step import ArrowStep

COLUMNS = "process string, parent string, modules array<string>, files array<string>, values array<string>"


def modules(batches):
    import os
    import sys

    import pyarrow as pa
    import pyspark

    import jobs

    list(batches)
    values = pa.array(["a", None])
    with open(f"/proc/{os.getppid()}/cmdline") as parent:
        row = {"process": str(os.getpid()), "parent": parent.read(), "modules": sorted(sys.modules),
               "files": [pyspark.__file__, jobs.__file__], "values": values.to_pylist()}
    yield pa.RecordBatch.from_pylist([row], pa.schema([
        ("process", pa.string()), ("parent", pa.string()), ("modules", pa.list_(pa.string())),
        ("files", pa.list_(pa.string())), ("values", pa.list_(pa.string()))]))


def main(run):
    driver = {"modules": sorted(sys.modules), "files": [pyspark.__file__, jobs.__file__]}
    rows = run.spark.range(0, 8, 1, 2)
    workers = [row.asDict() for row in ArrowStep(modules, COLUMNS).over(rows).collect()]

    from pyspark.sql.functions import pandas_udf

    @pandas_udf("string")
    def with_pandas(ids):
        import os

        import pandas as pd
        import pyarrow as pa

        nulls = pa.array(pd.Series([1.0, float("nan")])).null_count
        return pd.Series([f"{os.getpid()} {nulls}" if n else pd.NA for n in ids])

    pandas = [row[0] for row in rows.select(with_pandas("id")).collect()]
    print(json.dumps({"driver": driver, "workers": workers, "pandas": pandas}))


if __name__ == "__main__":
    run.start(main)
"""
NEVER = {"pandas", "pydantic", "confluent_kafka", "deltalake", "delta", "rich", "typer", "pyspark.pandas", "jobs.run"}
"""What no worker needs for a step over Arrow batches."""


def submit(folder: Path, python: Path, *options: str | Path) -> dict[str, Any]:
    """What the program prints, submitted in `folder`, which becomes a project without packages."""
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / ".jars").symlink_to(ROOT / ".jars")
    (folder / "program.py").write_text(SUBMITTED)
    submit = Path(pyspark.__file__).parent / "bin" / "spark-submit"
    command = [submit, "--properties-file", "conf/spark-local.conf", *options, "program.py"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"PYSPARK_PYTHON": str(python), "LC_ALL": "C.UTF-8"}
    environment |= {} if options else {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
    return printed


@pytest.mark.java
@pytest.mark.slow
@pytest.mark.parametrize("place", ["folder", "zip"])
def test_processes_of_a_run_import_little_and_the_project_of_the_driver(place: str, tmp_path: Path) -> None:
    python = environments.make(tmp_path / "environment")
    root = tmp_path / "a b" / "headrace.zip" if place == "zip" else ROOT
    (tmp_path / "a b").mkdir()
    if place == "zip":
        with zipfile.ZipFile(root, "w") as archive:
            for file in (
                file for package in ("jobs", "schemas", "sketches") for file in (ROOT / package).rglob("*.py")
            ):
                archive.write(file, file.relative_to(ROOT))
    printed = submit(tmp_path / "a b" / "c,d", python, *(("--py-files", str(root)) if place == "zip" else ()))
    files = [pyspark.__file__, f"{root}/jobs/__init__.py"]
    assert printed["driver"]["files"] == files
    assert "pandas" not in printed["driver"]["modules"]
    assert printed["workers"]
    for worker in printed["workers"]:
        assert worker["files"] == files
        assert worker["values"] == ["a", None]
        assert not NEVER & {*worker["modules"]}
        assert worker_daemon.MODULE in worker["parent"]
    assert printed["pandas"].count(None) == 1
    values = [text.split() for text in printed["pandas"] if text]
    assert {nulls for _, nulls in values} == {"1"}
    assert {process for process, _ in values} & {worker["process"] for worker in printed["workers"]}


def test_the_path_of_workers_begins_with_the_project_once(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = spark.sparkContext.environment
    assert environment["PYTHONPATH"] == str(ROOT)
    monkeypatch.setitem(environment, "PYTHONPATH", "/mine")
    worker_daemon.show_project(spark)
    worker_daemon.show_project(spark)
    assert environment["PYTHONPATH"] == f"{ROOT}{os.pathsep}/mine"


def test_idle_workers_end_when_they_are_told_to_and_others_follow(spark: SparkSession) -> None:
    def process_id(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_pydict({"id": [os.getpid()] * len(batch)}, pa.schema([("id", pa.int64())]))

    def ids() -> set[int]:
        frame = ArrowStep(process_id, StructType([StructField("id", LongType())])).over(spark.range(0, 2, 1, 2))
        return {row["id"] for row in frame.collect()}

    first = ids()
    assert all(psutil.pid_exists(process) for process in first)
    jvm.end_idle_workers(spark)
    left = [psutil.Process(process) for process in first if psutil.pid_exists(process)]
    assert not psutil.wait_procs(left, timeout=60)[1]
    assert not ids() & first
