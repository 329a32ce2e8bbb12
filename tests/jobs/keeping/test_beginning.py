"""Before its first batch a result may be defined anew, and a first run that is refused leaves nothing behind."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs import run
from jobs.answers.windows import Tumbling
from jobs.decisions.membership import Membership
from jobs.keeping import beginning, ledger, log_position, microbatch, recovery
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests import delta
from tests.altered import altered
from tests.jobs.keeping.definition import sales
from tests.jobs.keeping.definition.sales import NARROW, RESULT

assert RESULT.panes
BY_SHOP = altered(RESULT, panes=replace(RESULT.panes, by=("shop",)), windows=(Tumbling("30 minutes"),))
ONCE = Membership("1 day", expected_keys=10)
SEEN = altered(RESULT, panes=None, windows=(), membership=ONCE, transform=lambda sold: sold)


def left(places: Places) -> list[str]:
    """Folders of tables and of checkpoints."""
    return sorted(
        path.name for at in (places.tables, places.checkpoints) for path in Path(at).glob("*") if path.is_dir()
    )


def test_a_result_that_has_read_nothing_is_defined_anew(spark: SparkSession, places: Places) -> None:
    sales.write(places, sales.SALES)
    start = recovery.resume(spark, places, RESULT)
    quiet = run.Run(spark, places, say=lambda _: None, start="latest")
    first = log_position.record_start(quiet, RESULT, start.last)
    assert first.end_offsets == {0: 6}
    again = recovery.resume(spark, places, BY_SHOP)
    assert again.notes == ("defined anew: nothing had been read yet, so its empty tables were made anew",)
    assert (again.last.end_offsets, again.last.sequence, again.last.is_published) == ({0: 6}, 3, True)
    assert "size" not in [field.name for field in DeltaTable(places.table("sales_v1")).schema().fields]
    shutil.rmtree(places.table("sales_v1_panes"))  # as if the next change had been broken off
    kept = recovery.resume(spark, places, SEEN)
    names = ["sales_v1", *(f"sales_v1_{kind}" for kind in ("filters", "ledger", "quarantine", "stragglers"))]
    assert left(places) == names
    assert set(kept.last.tables) == {*names} - {"sales_v1_ledger"}
    assert recovery.resume(spark, places, SEEN).notes == ()
    ledger.write(places, "sales_v1", kept.last.next("batch"))
    with pytest.raises(Refused, match=r"means something else .*\(panes: was none, is now "):
        recovery.resume(spark, places, RESULT)


def test_a_result_that_was_defined_anew_reads_its_log(spark: SparkSession, places: Places) -> None:
    sales.write(places, sales.SALES)
    recovery.resume(spark, places, RESULT)
    said: list[str] = []
    microbatch.keep(run.Run(spark, places, say=said.append), BY_SHOP)
    assert said == ["sales_v1: defined anew: nothing had been read yet, so its empty tables were made anew"]
    assert sorted((row["shop"], row["records"]) for row in delta.rows(places.table("sales_v1"))) == [("a", 2), ("b", 1)]


def test_a_first_run_that_is_refused_leaves_nothing(spark: SparkSession, places: Places) -> None:
    sales.write(places, sales.SALES)
    with pytest.raises(Refused):
        microbatch.keep(run.Run(spark, places, say=lambda _: None, start="never"), RESULT)
    assert left(places) == []


def test_only_what_the_run_has_made_is_forgotten(spark: SparkSession, places: Places) -> None:
    begun = datetime.now(UTC) - timedelta(seconds=1)
    made = ["sales_v1", *(f"sales_v1_{kind}" for kind in ("ledger", "panes", "quarantine", "stragglers"))]
    start = recovery.resume(spark, places, RESULT)
    beginning.forget(places, "sales_v1", datetime.now(UTC) + timedelta(seconds=1))
    assert left(places) == made, "made before"
    batch = ledger.write(places, "sales_v1", start.last.next("batch"))
    beginning.forget(places, "sales_v1", begun)
    assert left(places) == made, "a batch is closed"
    assert batch.sequence == 2
    shutil.rmtree(places.table("sales_v1_ledger"))
    rows = spark.createDataFrame([], sales.topic(NARROW).COLUMNS)  # of somebody else
    rows.write.format("delta").save(places.table("sales_v1_filters"))
    beginning.forget(places, "sales_v1", begun)
    assert left(places) == ["sales_v1_filters"]
