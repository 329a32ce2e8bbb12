"""The log, whatever its home: a streaming DataFrame of a topic's records in the columns of Spark's Kafka source."""

from pyspark.sql import DataFrame, SparkSession

from jobs.run import Places, Refused
from jobs.sources.archive import Snapshot
from jobs.sources.archive_stream import FORMAT, ArchiveSource
from jobs.sources.offsets import starting


def read(
    spark: SparkSession,
    places: Places,
    topic: str,
    starting_offsets: str = "earliest",
    max_records_per_batch: int | None = None,
) -> DataFrame:
    """The records of `topic`, as a stream.

    `starting_offsets` is "earliest", "latest" or Kafka's JSON, and counts only when no checkpoint does. A batch holds
    about `max_records_per_batch` records, shared over the partitions by their backlog; None: all there are.
    Raises Refused when the topic has no records there, or an argument is wrong.
    """
    if max_records_per_batch is not None and max_records_per_batch < 1:
        raise Refused(f"topic {topic}: the records of a batch must be 1 or more, not {max_records_per_batch}.")
    homes = {"archive": _archive}
    return homes[places.log](spark, places, topic, starting_offsets, max_records_per_batch)


def _archive(spark: SparkSession, places: Places, topic: str, begin: str, limit: int | None) -> DataFrame:
    log = Snapshot(places.archive, topic).refresh()
    if not log.ends:
        raise Refused(
            f"topic {topic} has no records in {places.archive}: fill it with `headrace produce {topic} FILE`."
        )
    try:
        starting(begin, topic, log.firsts(), log.ends)
    except ValueError as error:
        raise Refused(str(error)) from None
    spark.dataSource.register(ArchiveSource)
    stream = spark.readStream.format(FORMAT).option("path", places.archive).option("topic", topic)
    stream = stream.option("startingOffsets", begin)
    if limit is not None:
        stream = stream.option("maxOffsetsPerTrigger", limit)
    return stream.load()
