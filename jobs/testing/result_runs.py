"""Runs a result over the records of a test, once as a whole and again cut into batches at random."""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from jobs import keeping
from jobs.answers.result import Result
from jobs.log.archive import writer
from jobs.run import Run
from jobs.running.errors import Mistake, Refused, explain
from jobs.running.places import Places
from jobs.testing import same_rows
from jobs.testing.records import Record, Records, log_records
from jobs.testing.rows import Rows

MOST_BATCHES = 3
"""A run over a part of the log has about so many batches: more cost time, and show little more."""

Log = Mapping[str, pa.RecordBatch]
"""The records of each topic."""


@dataclass
class ResultRuns:
    """The fixture `run_result`: see RunResult in jobs/testing/plugin.py."""

    spark: SparkSession
    folder: Path
    _folders: Iterator[int] = field(default_factory=count)

    def __call__(self, result: Result, records: Records, *, cuts: int = 0, seed: int = 0) -> Rows:
        log = _log(result, records)
        whole = {topic: len(batch) for topic, batch in log.items()}
        rows = self._run(result, log, [whole])
        choice = random.Random(seed)
        for _ in range(cuts):
            first = {topic: choice.randint(1, size) for topic, size in whole.items()}
            batch = choice.randint(-(-sum(whole.values()) // (2 * MOST_BATCHES)), sum(whole.values()))
            cut = replace(result, max_records_per_batch=batch)
            words = f"cut behind {_text(first)}, in batches of {batch}, with seed={seed}"
            same_rows.check(result, self._run(cut, log, [first, whole]), rows, words)
        return rows

    def _run(self, result: Result, log: Log, portions: Sequence[Mapping[str, int]]) -> Rows:
        """Run the result after each portion of the log; `portions`: by topic, where it ends."""
        folder = self.folder / str(next(self._folders))
        places = Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")
        run = Run(self.spark, places, say=lambda _: None)
        before = dict.fromkeys(log, 0)
        for ends in portions:
            if before == ends:
                continue
            for topic, batch in log.items():
                if ends[topic] > before[topic]:
                    part = batch.slice(before[topic], ends[topic] - before[topic])
                    writer.append(places.archive, topic, 1, [part])
            before = dict(ends)
            self._keep(run, result)
        answer, key = next(iter(result.delivery_keys.items()))
        return Rows(places, result.name, answer, key)

    def _keep(self, run: Run, result: Result) -> None:
        """Raises Refused with one line instead of Spark's own errors; HEADRACE_DEBUG=1 leaves them."""
        try:
            keeping.keep(run, replace(result, deliver=()))
        except Refused:
            raise
        except Exception as error:
            if os.environ.get("HEADRACE_DEBUG"):
                raise
            raise Refused(explain(error)) from None


def _log(result: Result, records: Records) -> Log:
    """Raises Mistake if they are not of the topics that the result reads."""
    topics = {reads.topic.TOPIC: reads.topic for reads in result.all_reads}
    by_topic: Mapping[str, Sequence[Record]]
    if isinstance(records, Mapping):
        by_topic = records
    elif len(topics) == 1:
        by_topic = {next(iter(topics)): records}
    else:
        raise Mistake(f"{result.name} reads {', '.join(topics)}: give the records by topic, in a dictionary")
    if set(by_topic) != set(topics) or not all(by_topic.values()):
        raise Mistake(f"{result.name} reads {', '.join(topics)}: give one record or more of each")
    return {topic: log_records(topics[topic], by_topic[topic]) for topic in topics}


def _text(ends: Mapping[str, int]) -> str:
    """Such as record 3 of trips."""
    return ", ".join(f"record {end} of {topic}" for topic, end in ends.items())
