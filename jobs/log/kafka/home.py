"""Kafka as the home of the log, read by Spark's Kafka source."""

from datetime import datetime, timedelta

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.readwriter import DataStreamReader

from jobs.log.archive.snapshot import Ends, Snapshot
from jobs.log.kafka import records as kafka_records
from jobs.log.kafka import topics
from jobs.log.kafka.topics import Topic
from jobs.log.offsets import Offsets, positions
from jobs.running import kafka_tools
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from jobs.running.places import Places

UNBOUNDED_MS = 2**53
"""A limit of Kafka's on timestamps that is none."""
RETRIES = {"fetchOffset.numRetries": "30", "fetchOffset.retryIntervalMs": "1000"}
"""A broker that is started again within half a minute does not stop a job."""


def topic(places: Places, name: str) -> Topic:
    """What Kafka holds of the topic. Raises Refused when there is none, or when its settings endanger a job."""
    found = topics.existing(_access(places), name)
    _check_timestamps(_access(places), name)
    return found


def since(places: Places, name: str, time: datetime) -> Offsets:
    """By partition, the first offset whose record timestamp is `time` or later; the end where there is none."""
    return topics.since(_access(places), name, int(time.timestamp() * 1000))


def is_same_topic(places: Places, name: str, home: str, topic_id: str) -> bool:
    """Whether it is the topic that was read: the same id, also where the archive was read that keeps it."""
    now = topics.existing(_access(places), name).id
    return now == topic_id if home == "kafka" else Snapshot(places.archive, name).refresh().keeps(now)


def ends(places: Places, name: str) -> list[Ends]:
    """What each partition holds. Raises Refused when there is no such topic."""
    return kafka_records.ends(_access(places), name)


def records(places: Places, name: str, partition: int, offset: int, limit: int) -> pa.Table:
    """At most `limit` committed records of a partition from `offset` on."""
    return kafka_records.records(_access(places), name, partition, offset, limit)


def retention_deadline(places: Places, name: str, read: Offsets) -> datetime | None:
    """When the topic's retention.ms is over for the first record that is not read; None without such a limit."""
    kafka = _access(places)
    kept_ms = int(topics.settings(kafka, name).get("retention.ms", -1))
    if kept_ms < 0:
        return None
    waiting = [part for part, end in topics.existing(kafka, name).ends.items() if end > read.get(part, 0)]
    oldest = [kafka_records.records(kafka, name, part, read.get(part, 0), 1)["timestamp"] for part in waiting]
    return min((times[0].as_py() + timedelta(milliseconds=kept_ms) for times in oldest if len(times)), default=None)


def open_transactions(places: Places, name: str) -> list[Ends]:
    """What stands behind transactions that are open, their own records too."""
    return kafka_records.held(_access(places), name)


def stream(spark: SparkSession, places: Places, name: str, group: str) -> DataStreamReader:
    """A reader of the topic: committed records alone, with headers; it stops where records are missing."""
    return spark.readStream.format("kafka").options(**_options(places, name, group))


def read_range(spark: SparkSession, places: Places, name: str, starts: Offsets, ends: Offsets) -> DataFrame:
    """The committed records with an offset in [start, end) of their partition, in order; a task for each partition."""
    reader = spark.read.format("kafka").options(**_options(places, name, f"headrace-{name}"))
    span = {"startingOffsets": positions(name, starts), "endingOffsets": positions(name, ends)}
    return reader.options(**span).load()


def _options(places: Places, name: str, group: str) -> dict[str, str]:
    said = {"subscribe": name, "groupIdPrefix": group, "includeHeaders": "true", "failOnDataLoss": "true"} | RETRIES
    broker = _access(places).for_java() | {"isolation.level": "read_committed"}
    return said | {f"kafka.{option}": value for option, value in broker.items()}


def _access(places: Places) -> Kafka:
    assert places.kafka, "Places sees to it"
    return places.kafka


def _check_timestamps(kafka: Kafka, name: str) -> None:
    """Spark dies of a record with a timestamp beyond its calendar, again in each run: the topic must not let it in."""
    said = topics.settings(kafka, name)
    if said.get("message.timestamp.type") == "LogAppendTime":
        return
    if int(said.get("message.timestamp.after.max.ms", 0)) >= UNBOUNDED_MS:
        raise Refused(
            f"topic {name} on {kafka.servers} takes records with any timestamp, and one beyond the calendar would stop "
            f"every job for good. Bound it: {kafka_tools.bound_timestamps(kafka, name)}"
        )
