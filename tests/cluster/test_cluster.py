"""On a real cluster, whose executors have of the project only the zip, a job keeps the same tables as in local mode."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from jobs import departure_delay, run
from jobs.admin import demo_flights
from jobs.admin.class_archive import sample_departures
from jobs.keeping import ledger
from jobs.log.archive import writer
from jobs.log.audit import audit
from jobs.log.kafka import producer
from jobs.running.kafka_access import Kafka
from tests import delta
from tests.cluster.broker import Broker
from tests.cluster.keeping import make_anew
from tests.cluster.same_tables import CLOCKS, check_same
from tests.cluster.spark_cluster import ROOT, SparkCluster, packed, submit
from tests.jobs.keeping.world import places_in

pytestmark = pytest.mark.slow

TOPIC = departure_delay.RESULT.topic.TOPIC
NAME = departure_delay.RESULT.name
RECORDS = 600


def departures(records: int) -> pd.DataFrame:
    """Made-up departures of three airports, early, late and very late."""
    dice = random.Random(5)
    frame = sample_departures(records)
    frame["origin"] = [dice.choice(["JFK", "EWR", "LGA"]) for _ in range(records)]
    frame["delay_minutes"] = [dice.choice([-7, -1, 0, 3, 30, 600]) for _ in range(records)]
    frame["departure_time"] = frame["scheduled_time"] + pd.to_timedelta(frame["delay_minutes"], unit="min")
    return frame.sort_values("departure_time", kind="stable", ignore_index=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    """A cluster that answers."""
    made = SparkCluster(tmp_path_factory.mktemp("spark") / "cluster")
    try:
        yield made.start()
    finally:
        made.stop()
        assert not made.processes()


@pytest.fixture(scope="module")
def filled(broker: Broker) -> None:
    """The departures are in Kafka."""
    kafka = Kafka(servers=broker.servers)
    producer.append(kafka, make_anew(broker, TOPIC, 4), 4, demo_flights.records(departures(RECORDS)))


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packed(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def local(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> run.Places:
    """The tables of the same records, kept in local mode from the archive."""
    places = places_in(tmp_path_factory.mktemp("local"))
    writer.append(places.archive, TOPIC, 4, demo_flights.records(departures(RECORDS)))
    departure_delay.main(run.Run(spark, places, say=lambda _: None))
    return places


def same_tables(mine: run.Places, local: run.Places) -> None:
    for ending in ("", "_quarantine"):
        check_same(mine.table(NAME + ending), local.table(NAME + ending), (*CLOCKS, "sequence", "topic"))
    hours = [row for row in delta.rows(mine.table(NAME)) if row["window_kind"] == "tumbling 1 hour"]
    assert sum(row["departures"] for row in hours) == RECORDS
    last = [ledger.last(places, NAME) for places in (mine, local)]
    assert last[0] and last[1]
    assert last[0].end_offsets == last[1].end_offsets


PROBE = """
import json, sys
from pyspark.sql import SparkSession

def seen(rows):
    import os, socket
    import jobs.log.archive.stream as module
    import schemas, sketches
    yield json.dumps({"files": [module.__file__, schemas.__file__, sketches.__file__], "folder": os.getcwd()})

spark = SparkSession.builder.getOrCreate()
found = spark.sparkContext.parallelize(range(8), 8).mapPartitions(seen).collect()
import jobs
print("PROBE", json.dumps({"driver": jobs.__file__, "executors": [json.loads(line) for line in found]}))
"""


def test_executors_have_the_project_from_the_zip_alone(cluster: SparkCluster, code: Path, tmp_path: Path) -> None:
    script = tmp_path / "probe.py"
    script.write_text(PROBE)
    said = submit(cluster, code, script).end()
    found = json.loads(next(line for line in said.splitlines() if line.startswith("PROBE "))[6:])
    files = [found["driver"], *(file for executor in found["executors"] for file in executor["files"])]
    assert all("/headrace.zip/" in file for file in files), files
    folders = {executor["folder"] for executor in found["executors"]}
    assert all(Path(folder).is_relative_to(cluster.folder) for folder in folders)
    assert len(folders) == 2, "both workers had work"


BY_TASKS = """
from jobs import departure_delay
from jobs.keeping import fast_pass
from jobs.run import start

fast_pass.FEW_RECORDS = 0  # else the driver reads so few records, and no executor does
start(departure_delay.main)
"""


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """jobs/departure_delay.py, but read by executors."""
    (tmp_path / "by_tasks.py").write_text(BY_TASKS)
    return tmp_path / "by_tasks.py"


def test_a_job_from_kafka_keeps_the_tables_of_local_mode(
    cluster: SparkCluster, code: Path, job: Path, local: run.Places, filled: None, kafka_places: Path
) -> None:
    mine = run.places(kafka_places)
    submit(cluster, code, job, "--places", str(kafka_places)).end()
    same_tables(mine, local)


@pytest.mark.long
def test_a_job_from_the_archive_keeps_them_too(
    cluster: SparkCluster, code: Path, job: Path, local: run.Places, tmp_path: Path
) -> None:
    lines = [f'{name} = "{tmp_path}/{name}"' for name in ("tables", "checkpoints")]
    (tmp_path / "places.toml").write_text("\n".join([f'archive = "{local.archive}"', *lines]))
    submit(cluster, code, job, "--places", str(tmp_path / "places.toml")).end()
    same_tables(run.places(tmp_path / "places.toml"), local)


@pytest.mark.long
def test_the_archive_is_kept_on_a_cluster_too(
    cluster: SparkCluster, code: Path, filled: None, kafka_places: Path
) -> None:
    mine = run.places(kafka_places)
    submit(cluster, code, ROOT / "jobs" / "kafka_archive.py", TOPIC, "--places", str(kafka_places)).end()
    found = audit(mine, TOPIC)
    assert all(one.whole for one in found)
    assert sum(one.records for one in found) == RECORDS


SMALL_BATCHES = """
from dataclasses import replace

from jobs import departure_delay, run
from jobs.keeping import fast_pass, microbatch

fast_pass.FEW_RECORDS = 0
run.start(lambda job: microbatch.keep(job, replace(departure_delay.RESULT, max_records_per_batch=75)))
"""


@pytest.mark.long
def test_an_executor_that_is_killed_in_mid_run_changes_nothing(
    cluster: SparkCluster, code: Path, local: run.Places, filled: None, kafka_places: Path, tmp_path: Path
) -> None:
    mine = run.places(kafka_places)
    (tmp_path / "small_batches.py").write_text(SMALL_BATCHES)
    running = submit(cluster, code, tmp_path / "small_batches.py", "--places", str(kafka_places))
    killed: list[int] = []
    while running.running():
        last = ledger.last(mine, NAME, "batch")
        batches = -1 if last is None else last.batch_id
        # One executor after the second batch, and again after the fifth: the second may be the one that took its place.
        if batches >= (1, 4, 10**9)[len(killed)] and (there := cluster.executors()):
            there[0].kill()
            killed.append(batches)
        time.sleep(0.05)
    running.end()
    assert len(killed) == 2
    rows = delta.rows(mine.table(f"{NAME}_ledger"))
    assert sum(row["kind"] == "batch" for row in rows) > killed[-1] + 1, "it went on after the last kill"
    assert {row["generation"] for row in rows} == {1}, "in one run"
    same_tables(mine, local)


OF_ITS_OWN = """
import os, sys

os.chdir(sys.argv[1])
from jobs import departure_delay, run

with run.one_line_errors():
    where = {"archive": "archive", "tables": "/proc/self/cwd/tables", "checkpoints": f"{sys.argv[1]}/checkpoints"}
    departure_delay.main(run.Run(run.session(), run.Places(**where)))
"""


@pytest.mark.long
def test_tables_that_executors_do_not_share_are_refused(cluster: SparkCluster, code: Path, tmp_path: Path) -> None:
    """/proc/self/cwd is another folder in each process, as a local path is on each machine."""
    (tmp_path / "of_its_own.py").write_text(OF_ITS_OWN)
    said = submit(cluster, code, tmp_path / "of_its_own.py", str(tmp_path)).end(code=1)
    assert f"headrace: the executors of {cluster.url} do not see the folder /proc/self/cwd/tables (tables)" in said
    assert not list((tmp_path / "tables").iterdir())


@pytest.mark.long
def test_executors_without_the_project_are_told(
    cluster: SparkCluster, job: Path, local: run.Places, tmp_path: Path
) -> None:
    lines = [f'{name} = "{tmp_path}/{name}"' for name in ("tables", "checkpoints")]
    (tmp_path / "places.toml").write_text("\n".join([f'archive = "{local.archive}"', *lines]))
    said = submit(cluster, None, job, "--places", str(tmp_path / "places.toml"), path=ROOT).end(code=1)
    assert "ERROR the executors have not got the project: build the zip" in said
