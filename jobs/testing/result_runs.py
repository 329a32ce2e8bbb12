"""Runs a result over the records of a test, once as a whole and again cut into batches at random."""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from jobs import keeping
from jobs.answers.result import Reads, Result
from jobs.events.changes.debezium_transactions import is_of_transactions
from jobs.log.archive import writer
from jobs.run import Run
from jobs.running.errors import Mistake, Refused, explain
from jobs.running.places import Places
from jobs.testing import same_rows
from jobs.testing.records import Record, Records, log_records
from jobs.testing.rows import Rows

MOST_BATCHES = 3
"""A run over a part of the log has about so many batches: more cost time, and show little more."""

Log = Mapping[str, tuple[int, pa.RecordBatch]]
"""Of each topic the number of partitions, and the records."""
_ENCODED = ("ENCODED", "ENCODING", "READER_SCHEMA", "KEY_ENCODING", "KEY_COLUMNS")
"""What says of a topic that it is encoded by a registry."""


@dataclass
class ResultRuns:
    """The fixture `run_result`: see RunResult in jobs/testing/plugin.py."""

    spark: SparkSession
    folder: Path
    _folders: Iterator[int] = field(default_factory=count)

    def __call__(self, result: Result, records: Records, *, partitions: int = 1, cuts: int = 0, seed: int = 0) -> Rows:
        if partitions < 1:
            raise Mistake(f"partitions={partitions}: a topic has 1 or more")
        result = _in_json(result)
        log = _log(result, records, partitions)
        whole = {topic: len(batch) for topic, (_, batch) in log.items()}
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
            for topic, (partitions, batch) in log.items():
                if ends[topic] > before[topic]:
                    part = batch.slice(before[topic], ends[topic] - before[topic])
                    writer.append_to_partitions(places.archive, topic, partitions, _by_partition(part))
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


def _in_json(result: Result) -> Result:
    """The same result of topics that are written in JSON: a test writes records so, and has no registry."""
    reads = []
    for each in result.all_reads:
        if hasattr(each.topic, "ENCODED"):
            plain = {name: value for name, value in vars(each.topic).items() if name not in _ENCODED}
            each = replace(each, topic=SimpleNamespace(**plain))
        reads.append(each)
    if tuple(reads) == result.all_reads:
        return result
    return replace(result, reads=reads[0] if isinstance(result.reads, Reads) else tuple(reads))


def _by_partition(records: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    for partition in pc.unique(records["partition"]).to_pylist():
        yield partition, records.filter(pc.equal(records["partition"], partition))


def _log(result: Result, records: Records, partitions: int) -> Log:
    """Raises Mistake if they are not of the topics that the result reads. A topic of transactions has one partition."""
    topics = {reads.topic.TOPIC: reads.topic for reads in result.all_reads}
    counts = {reads.topic.TOPIC: 1 if is_of_transactions(reads.form) else partitions for reads in result.all_reads}
    by_topic: Mapping[str, Sequence[Record]]
    if isinstance(records, Mapping):
        by_topic = records
    elif len(topics) == 1:
        by_topic = {next(iter(topics)): records}
    else:
        raise Mistake(f"{result.name} reads {', '.join(topics)}: give the records by topic, in a dictionary")
    if set(by_topic) != set(topics) or not all(by_topic.values()):
        raise Mistake(f"{result.name} reads {', '.join(topics)}: give one record or more of each")
    return {topic: (number, log_records(topics[topic], by_topic[topic], number)) for topic, number in counts.items()}


def _text(ends: Mapping[str, int]) -> str:
    """Such as record 3 of trips."""
    return ", ".join(f"record {end} of {topic}" for topic, end in ends.items())
