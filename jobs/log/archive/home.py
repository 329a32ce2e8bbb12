"""The archive as the home of the log."""

from datetime import datetime
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.streaming.readwriter import DataStreamReader

from jobs.log.archive import listing, snapshot
from jobs.log.archive.range_reader import ArchiveRanges
from jobs.log.archive.snapshot import Snapshot
from jobs.log.archive.stream import FORMAT, ArchiveSource
from jobs.log.offsets import Offsets
from jobs.log.topic import Extent, Topic, others
from jobs.running import fork_server, one_look
from jobs.running.errors import Refused
from jobs.running.places import Places

SOURCE_MODULES = (
    ArchiveSource.__module__,
    "deltalake",
    "pyspark.sql.streaming.python_streaming_source_runner",
    "pyspark.sql.worker.create_data_source",
    "pyspark.sql.worker.plan_data_source_read",
)
"""What Spark's helpers for the data source import."""


def topic(places: Places, name: str) -> Topic:
    """What the archive holds of the topic. Raises Refused when that is nothing."""
    log = _snapshot(places, name)
    return Topic("", log.firsts(), dict(log.ends))


def look(places: Places, name: str) -> Topic:
    """As `topic`: the archive has no settings that endanger a job."""
    return topic(places, name)


def offsets_since(places: Places, name: str, time: datetime) -> Offsets:
    """By partition, the first offset whose record timestamp is `time` or later; the end where there is none."""
    return _snapshot(places, name).offsets_since(time)


def is_same_topic(places: Places, name: str, home: str, topic_id: str) -> bool:
    """Whether the archive has the records of that topic: it was read here, or is the Kafka topic that was copied."""
    return home == "archive" or _snapshot(places, name).is_copy_of(topic_id)


def extents(places: Places, name: str) -> list[Extent]:
    """What each partition holds. Raises Refused when there is no such topic."""
    _snapshot(places, name)
    find = partial(snapshot.extents, places.archive, name)
    return one_look.recall(("extents", places.archive, name), find, in_all=True)


def records(places: Places, name: str, partition: int, offset: int, limit: int) -> pa.Table:
    """At most `limit` records of a partition from `offset` on."""
    return snapshot.records(places.archive, name, partition, offset, limit)


def retention_deadline(places: Places, name: str, read: Offsets) -> None:
    """None: nothing leaves the archive by itself."""
    return


def open_transactions(places: Places, name: str) -> list[Extent]:
    """Always empty: the archive has no transactions that stay open."""
    return []


def stream(spark: SparkSession, places: Places, name: str, group: str) -> DataStreamReader:
    """A reader of the topic; its options are those of jobs.log.archive.stream."""
    with fork_server.forks_for_sources(spark, SOURCE_MODULES):
        spark.dataSource.register(ArchiveSource)
    return spark.readStream.format(FORMAT).option("path", places.archive).option("topic", name)


def range_reader(places: Places, name: str, group: str) -> ArchiveRanges:
    """A reader of ranges of the topic; the archive has no consumer groups."""
    return ArchiveRanges(places.archive, name)


def _snapshot(places: Places, name: str) -> Snapshot:
    """The topic now; within a look as it was first, for all results."""
    return one_look.recall(("topic", places.archive, name), lambda: _read(places, name), in_all=True)


def _read(places: Places, name: str) -> Snapshot:
    log = Snapshot(places.archive, name).refresh()
    if not log.ends:
        known = listing.names(places.archive)
        raise Refused(f"topic {name} has no records in {places.archive}: {others(name, known)}")
    return log
