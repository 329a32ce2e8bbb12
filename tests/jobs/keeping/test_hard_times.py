"""Much of the log is bad, or memory comes to an end: all is counted, and the next run goes on."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from jobs import run
from jobs.admin import findings, standing
from jobs.keeping import microbatch
from jobs.running.progress import Progress
from tests.jobs.keeping import readings
from tests.jobs.keeping.checks import check_panes
from tests.jobs.keeping.readings import Record
from tests.jobs.keeping.world import GOOD, World


def with_bad_ones(records: list[Record]) -> list[Record]:
    """Three of ten are bad, in two ways."""
    faults = {1: (b"hello", ("not_json", None)), 4: (None, ("null_value", None)), 8: (b"hello", ("not_json", None))}
    return [
        record._replace(value=fault[0], good=None, bad=fault[1]) if (fault := faults.get(number % 10)) else record
        for number, record in enumerate(records)
    ]


def test_a_run_goes_on_though_three_of_ten_records_are_bad_and_counts_and_keeps_each(
    spark: SparkSession, tmp_path: Path
) -> None:
    """No share of bad records stops a run: it ends well, and `headrace doctor` says how many wait and why."""
    world, progress = World(spark, tmp_path, readings.PANES), Progress()
    world.write(with_bad_ones(GOOD[:30]))
    keeping = run.Run(spark, world.places, closed=progress.count, say=lambda _: None)
    microbatch.keep(keeping, world.result)
    assert not progress.none_good
    check_panes(world)
    ledger = world.rows("_ledger")
    assert (sum(row["records"] for row in ledger), sum(row["quarantined"] for row in ledger)) == (30, 9)
    assert sum(row["records"] for row in world.rows("_panes")) == sum(
        record.good is not None and record.good["site"] != "test" for record in world.written
    )
    facts = standing.read(world.places, world.result.name)
    assert isinstance(facts, standing.Facts)
    assert (facts.records, facts.waiting) == (30, 9)
    [found] = [one for one in findings.examine(world.places, world.result.name) if "quarantine" in one.what]
    assert found.what == "9 records wait in quarantine (6 not_json, 3 null_value)"


def test_a_batch_in_which_python_runs_out_of_memory_is_done_again(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, readings.PANES)
    world.write(GOOD[:30])

    def step(name: str) -> None:
        if name == "after panes":
            bytearray(2**62)

    with pytest.raises(MemoryError) as failed:
        microbatch.keep(run.Run(spark, world.places, step=step, say=lambda _: None), world.result)
    assert run.explain(failed.value).startswith("Python ran out of memory. ")
    with pytest.raises(SystemExit) as ended, run.one_line_errors():
        raise failed.value
    assert ended.value.code == 1
    assert world.keep()
    check_panes(world)
