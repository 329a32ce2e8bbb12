"""The log, whatever its home: what it holds of a topic, and a stream of its records in Kafka's columns.

A home is a module with the functions of `Home`: jobs.log.archive.home, jobs.log.kafka.home.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import reduce
from typing import Protocol

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.readwriter import DataStreamReader

from jobs.log.archive import home as archive_home
from jobs.log.kafka import home as kafka_home
from jobs.log.offsets import Offsets, kafka_json, parse_offsets, parse_time
from jobs.log.ranges import RangeReader
from jobs.log.topic import Extent, Topic
from jobs.running.errors import Refused
from jobs.running.places import Places

EARLIEST, LATEST = "earliest", "latest"


class Home(Protocol):
    """What a home of the log can do; `name` is a topic. Everything raises Refused when it has no such topic."""

    def topic(self, places: Places, name: str) -> Topic:
        """What it holds of the topic now. Raises Refused, too, when its settings endanger a job."""

    def look(self, places: Places, name: str) -> Topic:
        """As `topic`, whatever its settings."""

    def offsets_since(self, places: Places, name: str, time: datetime) -> Offsets:
        """By partition, the first offset with a timestamp of `time` or later; the partition's end if there is none."""

    def is_same_topic(self, places: Places, name: str, home: str, topic_id: str) -> bool:
        """Whether a topic that was read in `home` under `topic_id` has the same records at the same offsets here."""

    def extents(self, places: Places, name: str) -> list[Extent]:
        """What each partition holds."""

    def records(self, places: Places, name: str, partition: int, offset: int, limit: int) -> pa.Table:
        """At most `limit` records of a partition from `offset` on, in order, in the columns of schemas/archive.py."""

    def retention_deadline(self, places: Places, name: str, read: Offsets) -> datetime | None:
        """When it begins to delete records that a job, which has read up to `read`, lacks; None: never, or none."""

    def open_transactions(self, places: Places, name: str) -> list[Extent]:
        """Of each partition with an open transaction, what it holds from the transaction's first record on."""

    def stream(self, spark: SparkSession, places: Places, name: str, group: str) -> DataStreamReader:
        """A reader of the topic; `group` is the prefix of its consumer groups' names, if the home has any."""

    def range_reader(self, places: Places, name: str, group: str) -> RangeReader:
        """A reader of ranges of the topic, for tasks of Spark; `group` is the name of its consumer group."""


def topic(places: Places, name: str) -> Topic:
    """What the log holds of the topic now. Raises Refused when it has no such topic, or its settings endanger a job."""
    return _home(places).topic(places, name)


def look(places: Places, name: str) -> Topic:
    """As `topic`, also of one whose settings endanger a job: for people who look at it."""
    return _home(places).look(places, name)


def is_same_topic(places: Places, name: str, home: str, topic_id: str) -> bool:
    """Whether a topic that was read in `home` under `topic_id` has the same records at the same offsets here."""
    return _home(places).is_same_topic(places, name, home, topic_id)


def starting_offsets(places: Places, name: str, start: str) -> Offsets:
    """The offsets that `start` means: "earliest", "latest", Kafka's JSON of offsets, or a time (milliseconds since the
    epoch, or ISO-8601 with a zone; a partition with no record so late starts at its end). Raises Refused.
    """
    now = topic(places, name)
    try:
        if start.strip().lower() in (EARLIEST, LATEST) or start.lstrip().startswith("{"):
            return parse_offsets(start, name, now.firsts, now.ends)
        return _home(places).offsets_since(places, name, parse_time(start))
    except ValueError as error:
        raise Refused(str(error)) from None


def extents(places: Places, name: str) -> list[Extent]:
    """What each partition holds, by partition. Raises Refused when the log has no such topic."""
    return _home(places).extents(places, name)


def records(places: Places, name: str, partition: int, offset: int, limit: int) -> pa.Table:
    """At most `limit` records of a partition from `offset` on, in order, in the columns of schemas/archive.py."""
    return _home(places).records(places, name, partition, offset, limit)


def retention_deadline(places: Places, name: str, read: Offsets) -> datetime | None:
    """When the log begins to delete records that a job, which has read up to `read`, lacks; None: never, or none."""
    return _home(places).retention_deadline(places, name, read)


def open_transactions(places: Places, name: str) -> list[Extent]:
    """Of each partition with an open transaction, what it holds from the transaction's first record on: nobody reads
    that before the transaction has ended.
    """
    return _home(places).open_transactions(places, name)


def read(
    spark: SparkSession,
    places: Places,
    name: str,
    starting_offsets: str = EARLIEST,
    max_records_per_batch: int | None = None,
    group: str | None = None,
) -> DataFrame:
    """The records of topic `name`, as a stream.

    `starting_offsets` is "earliest", "latest" or Kafka's JSON; a checkpoint overrides it. A batch holds about
    `max_records_per_batch` records, shared over the partitions by their backlog; None: all there are. `group` is the
    prefix of the consumer groups' names with which Spark reads Kafka.
    Raises Refused when the topic is not there, or an argument is wrong.
    """
    if max_records_per_batch is not None and max_records_per_batch < 1:
        raise Refused(f"topic {name}: the records of a batch must be 1 or more, not {max_records_per_batch}.")
    now = topic(places, name)
    try:
        start = parse_offsets(starting_offsets, name, now.firsts, now.ends)
    except ValueError as error:
        raise Refused(str(error)) from None
    stream = _home(places).stream(spark, places, name, group or f"headrace-{name}")
    if max_records_per_batch is not None:
        # Spark's Kafka source rounds each partition's share down, which would leave a small batch at the end.
        limit = max_records_per_batch + (len(now.ends) if places.log == "kafka" else 0)
        stream = stream.option("maxOffsetsPerTrigger", limit)
    return stream.option("startingOffsets", kafka_json(name, start)).load()


def read_together(
    spark: SparkSession, places: Places, starts: Mapping[str, Offsets], max_records_per_batch: int, group: str
) -> DataFrame:
    """The records of several topics, as one stream with a source for each topic; `starts`: by topic, where it goes on,
    or no offsets for its earliest record. The records of a batch are shared over the topics by what they have left.

    Raises Refused as `read` does.
    """
    left = {}
    for name, offsets in starts.items() if len(starts) > 1 else ():  # one topic gets all
        now = topic(places, name)
        left[name] = sum(end - offsets.get(part, now.firsts.get(part, 0)) for part, end in now.ends.items())
    streams, total = [], sum(left.values())
    for name, offsets in starts.items():
        share = left[name] / total if total else 1 / len(starts)
        share = max(share, 1 / (2 * len(starts)))  # its records may come faster later
        start = kafka_json(name, offsets) if offsets else EARLIEST
        limit = max(1, int(max_records_per_batch * share))
        streams.append(read(spark, places, name, start, limit, group))
    return reduce(DataFrame.union, streams)


def range_reader(places: Places, name: str, group: str) -> RangeReader:
    """A reader of ranges of the topic, for tasks of Spark; `group` is the name of its consumer group, if the home has
    any.
    """
    return _home(places).range_reader(places, name, group)


def read_range(spark: SparkSession, places: Places, name: str, starts: Offsets, ends: Offsets) -> DataFrame:
    """The records of a topic in Kafka with an offset in [start, end) of their partition, in order, a task each."""
    return kafka_home.read_range(spark, places, name, starts, ends)


def _home(places: Places) -> Home:
    homes: dict[str, Home] = {"archive": archive_home, "kafka": kafka_home}
    return homes[places.log]
