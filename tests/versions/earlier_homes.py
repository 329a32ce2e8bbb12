"""What an earlier version began in Kafka, and an archive it kept: python -m tests.versions.earlier_homes FOLDER.

It was run with the code of the version itself, as earlier.py was, with a real broker. FOLDER gets the places, and in
`broker` the files of the broker, whose topic has the id that the ledger knows.
"""

import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from jobs import run
from jobs.answers.result import Late, Reads, Result
from jobs.answers.windows import CalendarDay, Hopping, Tumbling, Windows
from jobs.decisions.membership import Membership
from jobs.facts.panes import Panes
from tests.versions.earlier import MENDED, START, readings

PARTITIONS = 2
READ, ALL = 30, 50
"""Records that the result has read, and those that the topic and its copy in the archive have."""
RETAINED = {0: 3, 1: 0}
"""Where the partitions of the copy begin: `headrace retain` has taken what is before."""
STATES_RETAINED = {0: 3, 1: 0}
DAY_MS = 86_400_000
COMPACTED_MS = 1_800_000_000_000
"""When the topic `states` was compacted, milliseconds since 1970."""


def placed(readings: DataFrame) -> DataFrame:
    names = ("record_partition", "record_offset", "record_key", "event_time", "site", "reading", "large")
    return readings.select(*names)


CARRIED = Result(
    "carried_v1",
    Reads(MENDED, placed, decide=Membership("1 day", bucket="12 hours", expected_keys=100, false_positive_rate=1e-6)),
    Windows(
        Panes("1 hour", ("site",), averages=("reading",), uniques=("large",), counts=("seen_before",), lg_k=4),
        Tumbling("2 hours"),
        Hopping("6 hours", every="2 hours", uniques=False),
        CalendarDay("America/New_York"),
    ),
    late=Late("2 hours"),
)
"""Sketches of 16 registers, more values than they count exactly."""


@dataclass(frozen=True)
class State:
    """A record of the topic `states`, in which the last record of a key counts."""

    key: bytes | None
    value: bytes | None


def states(first: int, after: int) -> list[State]:
    """Of five keys, and of one that is soon deleted; some records are tombstones, some have no key."""
    found = []
    for n in range(first, after):
        key: bytes | None = b"gone" if n in (1, 16) else f"k{n % 5}".encode()
        key = None if n % 11 == 6 else key
        found.append(State(key, None if n % 7 == 2 else f"{n}".encode()))
    return found


def batch_of_readings(first: int, after: int) -> pa.RecordBatch:
    """As a producer takes them."""
    import json

    some = readings(first, after)
    columns = [
        pa.array([reading["device"].encode() for reading in some], pa.binary()),
        pa.array([json.dumps(reading).encode() for reading in some], pa.binary()),
        pa.array([START + timedelta(minutes=37 * n) for n in range(first, after)], pa.timestamp("us", "UTC")),
    ]
    return pa.record_batch(columns, ["key", "value", "timestamp"])


def batch_of_states(first: int, after: int) -> pa.RecordBatch:
    """As a producer takes them."""
    some = states(first, after)
    columns = [
        pa.array([state.key for state in some], pa.binary()),
        pa.array([state.value for state in some], pa.binary()),
        pa.array([START + timedelta(minutes=n) for n in range(first, after)], pa.timestamp("us", "UTC")),
    ]
    return pa.record_batch(columns, ["key", "value", "timestamp"])


def keep_states(archive_path: str) -> None:
    """Forty records in two commits, compacted between them; then the oldest of partition 0 leave."""
    from jobs.log.archive import compaction, retention, writer
    from jobs.log.archive.snapshot import Snapshot

    writer.append(archive_path, "states", PARTITIONS, [batch_of_states(0, 30)])
    log = Snapshot(archive_path, "states").refresh()
    parts = compaction.plan(archive_path, "states", log.ends, COMPACTED_MS, DAY_MS)
    compaction.compact(archive_path, "states", log.firsts(), parts, COMPACTED_MS)
    writer.append(archive_path, "states", PARTITIONS, [batch_of_states(30, 40)])
    retention.remove(archive_path, "states", STATES_RETAINED)


def main(folder: Path) -> None:
    """The job reads 30 readings from Kafka, the copy in the archive gets 50, and between them nothing of two more that
    were taken back: offsets 20 to 22 of partition 0 have no record.
    """
    from jobs.keeping import microbatch
    from jobs.log import kafka_to_archive
    from jobs.log.archive import retention
    from jobs.log.kafka import producer
    from jobs.running.kafka_access import Kafka
    from tests.cluster.broker import Broker
    from tests.cluster.keeping import make, send

    broker = Broker(folder / "running").start()
    try:
        kafka = Kafka(servers=broker.servers)
        there: dict[str, Any] = {name: f"{folder}/{name}" for name in ("archive", "tables", "checkpoints")}
        places = run.Places(log="kafka", kafka=kafka, **there)
        job = run.Run(run.session(run.profile(Path("conf") / run.LOCAL_PROFILE)), places, topics=("readings",))
        make(broker, "readings", PARTITIONS)
        producer.append(kafka, "readings", None, [batch_of_readings(0, READ)])
        kafka_to_archive.copy_topics(job)
        microbatch.keep(job, CARRIED)
        send(broker, "readings", 0, 2, **{"transactional.id": "aborted"}).abort_transaction(30)
        producer.append(kafka, "readings", None, [batch_of_readings(READ, ALL)])
        kafka_to_archive.copy_topics(job)
        retention.remove(places.archive, "readings", RETAINED)
        keep_states(places.archive)
    finally:
        broker.stop()
    shutil.copytree(broker.folder / "log", folder / "broker")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
