"""A continuous run: stopped while it works, and left without new records."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from jobs import run
from jobs.keeping import microbatch
from tests.jobs.keeping.checks import check_panes
from tests.jobs.keeping.readings import PANES
from tests.jobs.keeping.world import GOOD, World


@dataclass
class StoppedAtWork(run.Run):
    """Is stopped, as by Ctrl-C, while a batch has written its panes and not yet its ledger row."""

    at_work: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.step = self.slowly

    def slowly(self, name: str) -> None:
        if name == "after panes":
            self.at_work.set()
            time.sleep(2)

    def watch(self, query: StreamingQuery, meanwhile: Callable[[], None] = lambda: None) -> None:
        assert self.at_work.wait(120)


def test_a_run_that_is_stopped_at_work_ends_its_batch_and_doubles_nothing(spark: SparkSession, tmp_path: Path) -> None:
    world = World(spark, tmp_path, PANES)
    world.write(GOOD[:20])
    job = StoppedAtWork(spark, world.places, continuous="100 milliseconds", say=lambda _: None)
    microbatch.keep(job, replace(PANES, max_records_per_batch=10, publish_every="1 hour"))
    assert [row["kind"] for row in world.rows("_ledger")].count("batch") >= 1
    world.write(GOOD[20:])
    world.keep()
    check_panes(world)


@dataclass
class UntilPublished(run.Run):
    """Goes on until windows are published between batches."""

    rows: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.closed = lambda _name, row, _lag: self.rows.append(row)

    def watch(self, query: StreamingQuery, meanwhile: Callable[[], None] = lambda: None) -> None:
        until = time.monotonic() + 120
        while not any(row.kind == "publish" for row in self.rows):
            assert time.monotonic() < until, f"it is not published: {self.rows}"
            meanwhile()
            assert not query.awaitTermination(timeout=1), "the query has ended"


def test_windows_are_published_when_they_are_due_though_no_record_comes(spark: SparkSession, tmp_path: Path) -> None:
    """A run before this one has read the log and was stopped before it published: here no batch can publish."""
    world = World(spark, tmp_path, PANES)
    world.write(GOOD)
    assert not world.keep(crash="before windows")
    assert not world.rows()
    job = UntilPublished(spark, world.places, continuous="100 milliseconds", say=lambda _: None)
    microbatch.keep(job, replace(PANES, publish_every="1 second"))
    assert [(row.kind, row.records) for row in job.rows] == [("publish", 0)]
    check_panes(world)
