"""A log that grows, and a result over it whose runs meet accidents."""

import itertools
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from jobs import run
from jobs.answers.result import Result
from jobs.keeping import microbatch, publish_schedule
from jobs.log.archive import writer
from jobs.log.kafka import producer
from tests import delta
from tests.jobs.keeping import readings
from tests.jobs.keeping.readings import Record
from tests.jobs.steps import Stopped, stopping_at

LOG = readings.log()
GOOD = readings.only_good(LOG)


def places_in(folder: Path) -> run.Places:
    """Places whose log is an archive."""
    return run.Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")


class GrowingLog:
    """The topic of readings, in either home, and what has been written into it."""

    def __init__(self, places: run.Places) -> None:
        self.places = places
        self.written: list[Record] = []

    def write(self, records: list[Record]) -> None:
        """Append these records."""
        topic, batch = readings.TOPIC.TOPIC, readings.batch(records)
        if self.places.kafka:
            producer.append(self.places.kafka, topic, readings.PARTITIONS, [batch])
        else:
            writer.append(self.places.archive, topic, readings.PARTITIONS, [batch])
        self.written += records


class UntilTheEnd(run.Run):
    """A continuous run that is stopped when it has read the log."""

    def watch(self, query: StreamingQuery, meanwhile: Callable[[], None] = lambda: None) -> None:
        query.processAllAvailable()


class World(GrowingLog):
    """An archive that grows and the tables of one result over it, with accidents."""

    def __init__(self, spark: SparkSession, folder: Path, result: Result) -> None:
        super().__init__(places_in(folder))
        self.spark, self.result, self.folder = spark, result, folder

    def keep(self, batch: int = 1000, crash: str | None = None) -> bool:
        """Run to the end of the log, or to the commit named; whether it came to the end."""

        job = run.Run(self.spark, self.places, step=stopping_at(crash), say=lambda _: None)
        try:
            microbatch.keep(job, replace(self.result, max_records_per_batch=batch))
        except Stopped:
            return False
        return True

    def keep_running(self, batch: int, publish_every: str, step: Callable[[str], None] = lambda _: None) -> None:
        """Run continuously until the log is read; `step` is called as the run's is. Each time that the run asks whether
        it is time to publish, two seconds more have passed.
        """
        seconds = itertools.count(2, 2)
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + next(seconds))
        job = UntilTheEnd(self.spark, self.places, continuous="100 milliseconds", step=step, say=lambda _: None)
        result = replace(self.result, max_records_per_batch=batch, publish_every=publish_every)
        with mock.patch.object(publish_schedule, "time", clock):
            microbatch.keep(job, result)

    def checkpoint(self) -> Path:
        """Of the newest generation."""
        return max(p for p in (self.folder / "checkpoints" / self.result.name).iterdir() if "aside" not in p.name)

    def lose_checkpoint(self) -> None:
        shutil.rmtree(self.folder / "checkpoints")

    def forget_plan(self) -> None:
        """Set the checkpoint back to the last batch that Spark has closed."""
        closed = max((int(p.name) for p in self.checkpoint().glob("commits/*") if p.name.isdigit()), default=-1)
        for path in list(self.checkpoint().glob("offsets/*")):
            if int(path.name.lstrip(".").removesuffix(".crc")) > closed:
                path.unlink()

    def replay_batch(self) -> None:
        """Make Spark run its last batch again."""
        commits = self.checkpoint() / "commits"
        newest = max(int(path.name) for path in commits.iterdir() if path.name.isdigit())
        (commits / str(newest)).unlink()
        (commits / f".{newest}.crc").unlink(missing_ok=True)

    def rows(self, suffix: str = "") -> list[dict[str, Any]]:
        return delta.rows(f"{self.places.tables}/{self.result.name}{suffix}")
