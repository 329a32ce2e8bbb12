"""Kafka as the home of the log, read by Spark's Kafka source."""

from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming.readwriter import DataStreamReader

from jobs.log.archive.snapshot import Snapshot
from jobs.log.kafka import records as kafka_records
from jobs.log.kafka import topics
from jobs.log.kafka.range_reader import KafkaRanges
from jobs.log.offsets import Offsets, kafka_json
from jobs.log.topic import Extent, Topic
from jobs.running import jvm, kafka_tools
from jobs.running.errors import Refused
from jobs.running.instants import from_kafka, to_micros
from jobs.running.kafka_access import ALLOWED_URLS, Kafka
from jobs.running.places import Places

UNBOUNDED_MS = 2**53
"""From here on Kafka's limit on timestamps is no limit."""
RETRIES = {"fetchOffset.numRetries": "30", "fetchOffset.retryIntervalMs": "1000"}
"""A broker that restarts within half a minute does not stop a job."""


def topic(places: Places, name: str) -> Topic:
    """What Kafka holds of the topic. Raises Refused when there is none, or when its settings endanger a job."""
    now = look(places, name)
    _check_timestamps(_access(places), name)
    return now


def look(places: Places, name: str) -> Topic:
    """As `topic`, whatever its settings."""
    return topics.require(_access(places), name)


def offsets_since(places: Places, name: str, time: datetime) -> Offsets:
    """By partition, the first offset whose record timestamp is `time` or later; the end where there is none."""
    return topics.offsets_since(_access(places), name, int(time.timestamp() * 1000))


def is_same_topic(places: Places, name: str, home: str, topic_id: str) -> bool:
    """Whether it is the topic that was read: here, under the same id, or in the archive, as a copy of this topic."""
    now = topics.require(_access(places), name).id
    return now == topic_id if home == "kafka" else Snapshot(places.archive, name).refresh().is_copy_of(now)


def extents(places: Places, name: str) -> list[Extent]:
    """What each partition holds. Raises Refused when there is no such topic."""
    return kafka_records.extents(_access(places), name)


def records(places: Places, name: str, partition: int, offset: int, limit: int) -> pa.Table:
    """At most `limit` committed records of a partition from `offset` on."""
    return kafka_records.records(_access(places), name, partition, offset, limit)


def retention_deadline(places: Places, name: str, read: Offsets) -> datetime | None:
    """When retention.ms has passed for the oldest unread record; None without such a limit or record."""
    kafka = _access(places)
    retention_ms = int(topics.settings(kafka, name).get("retention.ms", -1))
    if retention_ms < 0:
        return None
    unread = {p: read.get(p, 0) for p, end in topics.require(kafka, name).ends.items() if end > read.get(p, 0)}
    firsts = [kafka_records.records(kafka, name, p, offset, 1)["timestamp"] for p, offset in unread.items()]
    oldest = min((times[0].as_py() for times in firsts if len(times)), default=None)
    return None if oldest is None else from_kafka(to_micros(oldest) // 1000 + retention_ms)


def open_transactions(places: Places, name: str) -> list[Extent]:
    """Of each partition with an open transaction, what it holds from the transaction's first record on."""
    return kafka_records.open_transactions(_access(places), name)


def stream(spark: SparkSession, places: Places, name: str, group: str) -> DataStreamReader:
    """A reader of the topic: only committed records, with headers; it fails where records are missing."""
    _allow_token_endpoint(spark, places)
    return spark.readStream.format("kafka").options(**_options(places, name, group))


def range_reader(places: Places, name: str, group: str) -> KafkaRanges:
    """A reader of ranges of the topic; nothing is committed to its consumer group `group`."""
    return KafkaRanges(_access(places), name, group)


def read_range(spark: SparkSession, places: Places, name: str, starts: Offsets, ends: Offsets) -> DataFrame:
    """The committed records with an offset in [start, end) of their partition, in order; a task for each partition."""
    _allow_token_endpoint(spark, places)
    reader = spark.read.format("kafka").options(**_options(places, name, f"headrace-{name}"))
    span = {"startingOffsets": kafka_json(name, starts), "endingOffsets": kafka_json(name, ends)}
    return reader.options(**span).load()


def _options(places: Places, name: str, group: str) -> dict[str, str]:
    options = {"subscribe": name, "groupIdPrefix": group, "includeHeaders": "true", "failOnDataLoss": "true"} | RETRIES
    broker = _access(places).for_java() | {"isolation.level": "read_committed"}
    return options | {f"kafka.{option}": value for option, value in broker.items()}


def _allow_token_endpoint(spark: SparkSession, places: Places) -> None:
    """Let Java's client fetch tokens there. Executors of a cluster have the property from their own options."""
    address = _access(places).token_endpoint
    if address:
        jvm.set_system_property(spark, ALLOWED_URLS, address)


def _access(places: Places) -> Kafka:
    assert places.kafka, "Places sees to it"
    return places.kafka


def _check_timestamps(kafka: Kafka, name: str) -> None:
    """Raises Refused if the topic takes any timestamp: one beyond Spark's calendar would fail each run."""
    config = topics.settings(kafka, name)
    if config.get("message.timestamp.type") == "LogAppendTime":
        return
    if int(config.get("message.timestamp.after.max.ms", 0)) >= UNBOUNDED_MS:
        raise Refused(
            f"topic {name} on {kafka.servers} takes records with any timestamp, and one beyond the calendar would stop "
            f"every job for good. Bound it: {kafka_tools.bound_timestamps(kafka, name)}"
        )
