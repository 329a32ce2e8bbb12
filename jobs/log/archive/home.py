"""The archive as the home of the log."""

from datetime import datetime

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.streaming.readwriter import DataStreamReader

from jobs.log.archive import snapshot
from jobs.log.archive.file_reader import first_since
from jobs.log.archive.snapshot import Ends, Snapshot
from jobs.log.archive.stream import FORMAT, ArchiveSource
from jobs.log.kafka.topics import Topic
from jobs.log.offsets import Offsets
from jobs.running.errors import Refused
from jobs.running.places import Places


def topic(places: Places, name: str) -> Topic:
    """What the archive holds of the topic. Raises Refused when that is nothing."""
    log = _known(places, name)
    return Topic("", log.firsts(), dict(log.ends))


def since(places: Places, name: str, time: datetime) -> Offsets:
    """By partition, the first offset whose record timestamp is `time` or later; the end where there is none."""
    log = _known(places, name)
    found = {part: first_since([f for f in log.files if f.partition == part], time) for part in log.ends}
    return {part: log.ends[part] if first is None else first for part, first in found.items()}


def is_same_topic(places: Places, name: str, home: str, topic_id: str) -> bool:
    """Whether the archive has the records of that topic: its own, or those of the Kafka topic that it keeps."""
    return home == "archive" or _known(places, name).keeps(topic_id)


def ends(places: Places, name: str) -> list[Ends]:
    """What each partition holds. Raises Refused when there is no such topic."""
    _known(places, name)
    return snapshot.ends(places.archive, name)


def records(places: Places, name: str, partition: int, offset: int, limit: int) -> pa.Table:
    """At most `limit` records of a partition from `offset` on."""
    return snapshot.records(places.archive, name, partition, offset, limit)


def retention_deadline(places: Places, name: str, read: Offsets) -> None:
    """Never: nothing leaves the archive by itself."""
    return


def open_transactions(places: Places, name: str) -> list[Ends]:
    """Nothing: each of its commits is whole."""
    return []


def stream(spark: SparkSession, places: Places, name: str, group: str) -> DataStreamReader:
    """A reader of the topic; its options are those of jobs.log.archive.stream."""
    spark.dataSource.register(ArchiveSource)
    return spark.readStream.format(FORMAT).option("path", places.archive).option("topic", name)


def _known(places: Places, name: str) -> Snapshot:
    log = Snapshot(places.archive, name).refresh()
    if not log.ends:
        raise Refused(f"topic {name} has no records in {places.archive}: fill it with `headrace produce {name} FILE`.")
    return log
