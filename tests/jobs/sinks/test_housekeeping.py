"""A result that lives long keeps few files of what is its own, and loses nothing by it."""

from dataclasses import replace
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs import run
from jobs.run import Places
from jobs.sinks import archive, housekeeping, microbatch
from jobs.sources import log
from tests import delta
from tests.jobs.sinks import checks, readings
from tests.jobs.sinks.readings import Record

LOG = readings.interleaved(readings.log(each=20), 3)
RESULT = replace(readings.SEEN, max_records_per_batch=6)


class Kept:
    """A result in a folder, as the checks want it."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        names = ("archive", "tables", "checkpoints")
        self.spark, self.places = spark, Places(**{name: f"{folder}/{name}" for name in names})
        self.written: list[Record] = []

    def rows(self, suffix: str = "") -> list[dict[str, object]]:
        return delta.rows(self.places.table(RESULT.name + suffix))

    def files(self, suffix: str) -> int:
        return len(list(Path(self.places.table(RESULT.name + suffix)).rglob("*.parquet")))

    def keep(self, records: list[Record], killed_at: str = "") -> None:
        archive.append(self.places.archive, readings.TOPIC.TOPIC, readings.PARTITIONS, [readings.batch(records)])
        self.written += records

        def step(name: str) -> None:
            if name == killed_at:
                raise InterruptedError

        microbatch.keep(run.Run(self.spark, self.places, step=step, say=lambda _: None), RESULT, log)


def test_replaced_filters_and_small_files_of_the_ledger_go_and_a_killed_batch_is_done_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY_ROWS", 2)
    monkeypatch.setattr(housekeeping, "KEPT_HOURS", 0)
    kept = Kept(spark, tmp_path)
    kept.keep(LOG[:30])
    filters = DeltaTable(kept.places.table(f"{RESULT.name}_filters"))
    batches = sum(row["kind"] == "batch" for row in kept.rows("_ledger"))
    assert batches >= 5
    assert kept.files("_filters") <= len(filters.file_uris()) + 2 * readings.PARTITIONS
    assert filters.metadata().configuration["delta.deletedFileRetentionDuration"] == "interval 1 hours"
    assert len(DeltaTable(kept.places.table(f"{RESULT.name}_ledger")).file_uris()) <= 2
    with pytest.raises(InterruptedError):
        kept.keep(LOG[30:45], killed_at="after filters")
    kept.keep(LOG[45:])
    checks.check_seen(kept)
