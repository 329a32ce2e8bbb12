"""A result that runs for long: what it keeps, and the memory that it takes, must not grow with the records it has read.

python tests/bench/soak.py --batches 2000

Searches and clicks of two hours are read from an archive by a continuous run, in so many small batches: the join of
tests/bench/questions/join, with late records and a delivery. Samples are printed. Exit code 1 if a table or the memory
has grown from the second quarter to the last one, or if a row is missing or wrong.
"""

import argparse
import sys
import tempfile
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from bench_input import PARTITIONS, ROOT
from deltalake import DeltaTable
from measure import tree_memory
from questions.join.data import QUESTION
from questions.question import difference

sys.path.append(str(ROOT))

from questions.join import headrace as join

from jobs import keeping, run
from jobs.answers.delivery import Topic
from jobs.answers.result import Late
from jobs.keeping.housekeeping import EVERY_ROWS
from jobs.log.archive import writer

RECORDS_PER_BATCH = 100
SAMPLES = 40
GROWTH = 1.3
"""So many times what the second quarter had at most, the last quarter may have."""
RESULT = replace(
    join.RESULT,
    late=Late("5 seconds"),
    deliver=(Topic("pairs"),),
    feed_for="1 minute",
    publish_every="2 seconds",
    max_records_per_batch=RECORDS_PER_BATCH,
    min_records_per_batch=RECORDS_PER_BATCH,
)
BOUNDED = ("searches", "clicks", "feed")
"""Tables whose rows must not grow; of the stragglers only the files are few, as each late record is told for ever."""
FILES = (*BOUNDED, "stragglers", "ledger")


@dataclass(frozen=True)
class Sample:
    """What there is after some batches."""

    batches: int
    rows: dict[str, int]
    files: dict[str, int]
    memory_mib: int

    def __str__(self) -> str:
        kept = ", ".join(f"{name} {self.rows.get(name, 0):,} in {count}" for name, count in self.files.items())
        return f"batch {self.batches}: {self.memory_mib:,} MiB; rows in files: {kept}"


class UntilTheEnd(run.Run):
    """A continuous run that ends with the log."""

    def watch(self, query: Any, meanwhile: Any = lambda: None) -> None:
        """Until all is read."""
        reader = threading.Thread(target=query.processAllAvailable)
        reader.start()
        while reader.is_alive():
            reader.join(1)
            meanwhile()


def sample(places: run.Places, batches: int) -> Sample:
    """What there is now."""
    tables = {name: DeltaTable(places.table(f"{RESULT.name}_{name}")) for name in FILES}
    actions = {name: table.get_add_actions(flatten=True) for name, table in tables.items()}
    rows = {name: sum(found["num_records"].to_pylist()) for name, found in actions.items() if len(found)}
    return Sample(
        batches, rows, {name: len(found) for name, found in actions.items()}, tree_memory(psutil.Process()) // 2**20
    )


def growth(samples: list[Sample]) -> list[str]:
    """What was larger in the last quarter of the samples than in the second one."""
    quarter = len(samples) // 4
    found = []
    for what, values, usual in (
        *((f"rows of {name}", [each.rows.get(name, 0) for each in samples], 0) for name in BOUNDED),
        # The slower the machine, the more publishes are between two compactions.
        *((f"files of {name}", [each.files[name] for each in samples], EVERY_ROWS) for name in FILES),
        ("MiB of memory", [each.memory_mib for each in samples], 0),
    ):
        before, after = max(values[quarter : 2 * quarter]), max(values[-quarter:])
        if after > max(GROWTH * before, usual):
            found.append(f"{what}: {before:,} at most in the second quarter, {after:,} in the last one")
    return found


def main() -> None:
    """Write the log, read it batch by batch, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, default=2000)
    batches = parser.parse_args().batches
    records = batches * RECORDS_PER_BATCH
    with tempfile.TemporaryDirectory(prefix="headrace-soak-") as folder:
        places = run.Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")
        for topic in QUESTION.topics:
            writer.append(places.archive, topic, PARTITIONS, QUESTION.batches(topic, records))
        spark = run.session(run.profile(ROOT / "conf" / run.LOCAL_PROFILE))
        samples: list[Sample] = []

        def closed(_name: str, row: Any, _lag: int | None) -> None:
            every = max(1, batches // SAMPLES)
            if row.kind == "batch" and row.batch_id % every == every - 1:
                samples.append(sample(places, row.batch_id + 1))
                print(samples[-1], flush=True)

        job = UntilTheEnd(spark, places, continuous="0 seconds", closed=closed, say=lambda _: None)
        keeping.keep(job, RESULT)
        spark.stop()
        rows = difference(QUESTION.found("headrace", Path(folder)), QUESTION.expected(records))
    grown = growth(samples)
    print(rows, *(grown or ["nothing has grown"]), sep="\n")
    sys.exit(bool(grown) or not rows.endswith(" 0 missing, 0 wrong"))


if __name__ == "__main__":
    main()
