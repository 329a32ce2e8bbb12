"""A run goes on from the ledger whatever became of the checkpoint, and refuses tables that are not the ledger's."""

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from jobs import run
from jobs.keeping import fast_pass, ledger, locks, microbatch, recovery
from jobs.lake import commits, delta_tables
from jobs.log.archive import writer
from jobs.running.errors import Refused
from tests import delta
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.harms import (
    another_column,
    cut_short,
    delete,
    empty,
    gone,
    of_another_query,
    older,
    replaced,
    roll_back,
    without_metadata,
)
from tests.jobs.keeping.small import LOG, RESULT, counted, expected, keep
from tests.jobs.keeping.world import places_in
from tests.jobs.steps import once_at


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (delete, "is missing"),
        (roll_back, "is older than the ledger"),
        (cut_short, "cannot be read"),
        (empty, "cannot be read"),
        (of_another_query, "is of another query"),
        (without_metadata, "has lost its file metadata"),
    ],
)
def test_a_checkpoint_that_is_not_the_ledgers_is_moved_aside(
    harm: Callable[[Path], None], said: str, folder: Path, spark: SparkSession
) -> None:
    checkpoint = folder / "checkpoints" / "small_v1" / "generation-00001"
    before = ledger.last(places_in(folder), "small_v1")
    harm(checkpoint)
    start = recovery.resume(spark, places_in(folder), RESULT)
    assert said in " ".join(start.notes)
    assert not checkpoint.exists()
    assert (folder / "checkpoints/small_v1/generation-00001.aside-1").exists() == (harm is not delete)
    assert start.checkpoint.endswith("generation-00002")
    assert before
    assert (start.last.sequence, start.last.kind) == (before.sequence + 1, "start")
    assert start.last.end_offsets == before.end_offsets
    assert ledger.last(places_in(folder), "small_v1") == start.last
    assert start.last.notes == start.notes


def test_a_run_says_what_it_mended_and_the_tables_are_right(folder: Path, spark: SparkSession) -> None:
    roll_back(folder / "checkpoints" / "small_v1" / "generation-00001")
    writer.append(f"{folder}/archive", "readings", None, [readings.batch(LOG[9:])])
    said = "\n".join(keep(spark, folder))
    assert "is older than the ledger" in said
    assert "moved aside" in said
    assert "generation 2" in said
    assert counted(folder) == expected(LOG)


@pytest.mark.parametrize("name", ["small_v1", "small_v1_panes", "small_v1_quarantine"])
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (gone, "is gone"),
        (replaced, "was replaced"),
        (older, "is older than its ledger"),
        (another_column, "columns of .* are not those of the job"),
    ],
)
def test_tables_that_are_not_the_ledgers_are_refused(
    harm: Callable[[Path], None], said: str, name: str, folder: Path, spark: SparkSession
) -> None:
    path = folder / "tables" / name
    harm(path)
    with pytest.raises(Refused, match=said) as refused:
        recovery.resume(spark, places_in(folder), RESULT)
    message = str(refused.value)
    assert str(path) in message
    assert re.search("Bring it back|new version", message)
    assert "\n" not in message


def test_tables_without_their_ledger_are_refused(folder: Path, spark: SparkSession) -> None:
    shutil.rmtree(folder / "tables" / "small_v1_ledger")
    with pytest.raises(Refused, match=r"there is no ledger .*small_v1_ledger"):
        recovery.resume(spark, places_in(folder), RESULT)


@pytest.mark.parametrize("name", ["small_v1", "small_v1_panes"])  # one that the batch does not write, one that it does
@pytest.mark.parametrize(
    ("harm", "said"), [(gone, "is gone"), (replaced, "was replaced"), (another_column, "columns of .* are not those")]
)
def test_tables_that_are_taken_or_changed_while_a_job_runs_end_the_run(
    harm: Callable[[Path], None], said: str, name: str, folder: Path, spark: SparkSession
) -> None:
    writer.append(f"{folder}/archive", "readings", readings.PARTITIONS, [readings.batch(LOG[9:15])])
    path = folder / "tables" / name
    before = ledger.last(places_in(folder), "small_v1")
    step = once_at("before quarantine", lambda: harm(path))
    with pytest.raises(Refused, match=said) as refused:
        microbatch.keep(run.Run(spark, places_in(folder), step=step, say=lambda _: None), RESULT)
    assert str(path) in str(refused.value)
    after = ledger.last(places_in(folder), "small_v1")
    assert before and after
    harmless = harm is another_column and name == "small_v1"  # the batch itself does not write it
    assert (after.sequence > before.sequence) == harmless
    assert path.exists() == (harm is not gone), "never made again in silence"
    with pytest.raises(Refused, match=said):
        keep(spark, folder)


def below(frame: DataFrame) -> DataFrame:
    kept = frame.where(frame.reading < 0)
    return kept.select("event_time", "site", "device", "reading", "level", "ok")


def test_a_result_that_means_something_else_is_refused(folder: Path, spark: SparkSession) -> None:
    topic = type(readings.TOPIC)(**vars(readings.TOPIC) | {"KEY": "site"})
    assert RESULT.panes
    changes = {
        "panes": altered(RESULT, panes=replace(RESULT.panes, every="30 minutes")),
        "allowed_lateness": altered(RESULT, allowed_lateness="3 hours"),
        "key": altered(RESULT, topic=topic),
        "transform": altered(RESULT, transform=below),
    }
    for name, changed in changes.items():
        with pytest.raises(Refused, match=rf"means something else .*\({name}\b.*new version"):
            recovery.resume(spark, places_in(folder), changed)
    same = replace(RESULT, publish_every="5 minutes", max_records_per_batch=7)
    assert recovery.resume(spark, places_in(folder), same).notes == ()


def test_columns_of_a_transform_that_are_missing_are_named(folder: Path, spark: SparkSession) -> None:
    less = altered(RESULT, transform=lambda frame: frame.select("event_time", "reading"))
    with pytest.raises(ValueError, match="does not return site"):
        recovery.resume(spark, places_in(folder), less)


def test_a_second_run_is_refused_here_and_in_another_process(tmp_path: Path, spark: SparkSession) -> None:
    with locks.exclusive_run(spark, str(tmp_path), "small_v1"):
        with pytest.raises(Refused, match="running already"), locks.exclusive_run(spark, str(tmp_path), "small_v1"):
            pass
        with locks.exclusive_run(spark, str(tmp_path), "other_v1"):
            pass
    holds = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print('', flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", holds, str(tmp_path / "small_v1.lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout
        other.stdout.readline()
        with pytest.raises(Refused, match="running already"), locks.exclusive_run(spark, str(tmp_path), "small_v1"):
            pass
    finally:
        other.kill()
        other.communicate()
    with locks.exclusive_run(spark, str(tmp_path), "small_v1"):
        pass


def test_a_second_writer_is_noticed_and_taken_back(folder: Path, spark: SparkSession) -> None:
    """As from a machine that does not see the lock: it appends the same batch between our append and our ledger row."""
    writer.append(f"{folder}/archive", "readings", readings.PARTITIONS, [readings.batch(LOG[9:])])
    panes = f"{folder}/tables/small_v1_panes"

    def step(name: str) -> None:
        if name == "after panes":
            newest = DeltaTable(panes).history(1)[0]["userMetadata"]
            spark.read.format("delta").load(panes).limit(1).write.format("delta").mode("append").option(
                "userMetadata", newest
            ).save(panes)

    with pytest.raises(commits.WrittenTwice, match="another run of small_v1 is writing too"):
        microbatch.keep(run.Run(spark, places_in(folder), step=step, say=lambda _: None), RESULT)
    said = keep(spark, folder)
    assert any("taken back" in line for line in said), said
    assert counted(folder) == expected(LOG)


def test_two_ledger_rows_of_one_sequence_are_refused(folder: Path) -> None:
    last = ledger.last(places_in(folder), "small_v1")
    assert last
    ledger.write(places_in(folder), "small_v1", last.next("publish"))
    with pytest.raises(Refused, match="has a row"):
        ledger.write(places_in(folder), "small_v1", last.next("publish"))


@pytest.mark.parametrize("language", ["python", "java"])
def test_after_a_write_that_failed_the_next_run_goes_on(
    language: str, tmp_path: Path, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses the process every file beyond 100 bytes, as on a full disk, from the append of the rows on."""
    if language == "java":  # as if these few rows were many
        monkeypatch.setattr(fast_pass, "FEW_RECORDS", 0)
        monkeypatch.setattr(delta_tables, "SMALL_BYTES", 0)
    gateway = spark.sparkContext._gateway
    assert gateway
    process = {"python": os.getpid(), "java": gateway.proc.pid}[language]
    writer.append(f"{tmp_path}/archive", "readings", readings.PARTITIONS, [readings.batch(LOG)])
    result = replace(readings.SEEN, name="seen_v1")
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)

    def step(name: str) -> None:
        if name == "before rows":
            resource.prlimit(process, resource.RLIMIT_FSIZE, (100, before[1]))

    try:
        with pytest.raises(Exception) as failed:
            microbatch.keep(run.Run(spark, places_in(tmp_path), step=step, say=lambda _: None), result)
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)
    said = run.explain(failed.value)
    assert "\n" not in said
    assert "no larger file" in said
    assert not any(r.key in re.sub(r"\(/\S+\)", "", said) for r in LOG)  # a file's random name may hold one
    assert not delta.rows(f"{tmp_path}/tables/seen_v1")
    microbatch.keep(run.Run(spark, places_in(tmp_path), say=lambda _: None), result)
    rows = delta.rows(f"{tmp_path}/tables/seen_v1")
    assert sorted((row["record_partition"], row["record_offset"]) for row in rows) == sorted(
        (r.partition, r.offset) for r in LOG if r.good
    )


def test_tables_may_be_optimised_and_vacuumed_between_runs_and_panes_while_one_runs(
    folder: Path, spark: SparkSession
) -> None:
    writer.append(f"{folder}/archive", "readings", readings.PARTITIONS, [readings.batch(LOG[9:])])
    panes = DeltaTable(f"{folder}/tables/small_v1_panes")
    compacted = []

    def step(name: str) -> None:
        if name == "before panes":
            panes.update_incremental()
            compacted.append(panes.optimize.compact()["numFilesRemoved"])

    microbatch.keep(run.Run(spark, places_in(folder), step=step, say=lambda _: None), RESULT)
    assert len(compacted) >= 2 and all(compacted)
    for name in ("small_v1", "small_v1_panes", "small_v1_quarantine", "small_v1_ledger"):
        table = DeltaTable(f"{folder}/tables/{name}")
        table.optimize.compact()
        table.vacuum(0, dry_run=False, enforce_retention_duration=False)
    more = [record._replace(offset=record.offset + 6) for record in LOG[:6]]
    writer.append(f"{folder}/archive", "readings", readings.PARTITIONS, [readings.batch(more)])
    assert keep(spark, folder) == []
    assert counted(folder) == expected([*LOG, *more])
