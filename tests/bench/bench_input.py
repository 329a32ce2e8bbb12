"""Writes the benchmark's records into an archive table, commit by commit in the order in which they came."""

import shutil
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import bench_data
from deltalake import DeltaTable

ROOT = Path(__file__).resolve().parents[2]
TOPIC = "page_view"
PARTITIONS = 4
ARCHIVE, KAFKA = "archive", "kafka"
"""The homes of a log."""
COMPRESSIONS = {"zstd": "producer", "lz4": "lz4", "none": "uncompressed"}
"""Of the records in Kafka, and the topic's compression.type for it: headrace's own producer takes zstd, and the broker
writes anew what another topic wants.
"""


@dataclass(frozen=True)
class Input:
    """One log that every contender reads, and how it is to be read."""

    archive: str
    """Delta table in the columns of schemas/archive.py."""
    topic: str
    partitions: int
    records: int
    files: int
    """Parquet files in the table: some in every partition for each commit."""
    records_per_batch: int
    """About how many records a microbatch shall have."""
    cores: int
    servers: str | None = None
    """A broker that has the same records, to be read instead of the archive."""
    compression: str = "zstd"
    """Of the records in Kafka: one of COMPRESSIONS."""

    @property
    def home(self) -> str:
        """Where it is: archive, kafka (with zstd), kafka-lz4 or kafka-none."""
        if not self.servers:
            return ARCHIVE
        return KAFKA if self.compression == "zstd" else f"{KAFKA}-{self.compression}"

    @property
    def batches(self) -> int:
        """Microbatches that a stream processor shall cut the log into."""
        return max(1, round(self.records / self.records_per_batch))

    @property
    def files_per_batch(self) -> int:
        """The same cut for a source that counts files."""
        return -(-self.files // self.batches)


def into_kafka(log: Input, servers: str, compression: str = "zstd") -> Input:
    """The same records, in the same partitions, in a new topic of the broker."""
    from confluent_kafka.admin import AdminClient, NewTopic

    broker, producer = import_module("jobs.running.kafka_access"), import_module("jobs.log.kafka.producer")
    name = f"{TOPIC}_{log.records}_{compression}"
    settings = {"retention.ms": "-1", "compression.type": COMPRESSIONS[compression]}
    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(name, PARTITIONS, config=settings)])[name].result()
    producer.append(broker.Kafka(servers=servers), name, PARTITIONS, bench_data.batches(log.records))
    return replace(log, topic=name, servers=servers, compression=compression)


def write(path: Path, records: int, records_per_batch: int, cores: int) -> Input:
    """Write the log of `records` records unless it is there; five commits or so make a microbatch."""
    if not path.exists():
        if str(ROOT) not in sys.path:
            sys.path.append(str(ROOT))
        partial = path.with_name(f"{path.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        append = import_module("jobs.log.archive.writer").append
        append(str(partial), TOPIC, PARTITIONS, bench_data.batches(records), max(1, records_per_batch // 5))
        partial.rename(path)
    files = len(DeltaTable(path).file_uris())
    return Input(str(path), TOPIC, PARTITIONS, records, files, records_per_batch, cores)
