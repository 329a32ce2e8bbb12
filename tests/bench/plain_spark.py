"""The peer: the three results in plain Structured Streaming, as a user would write them.

Reads the same archive table through Delta's own streaming source, from version 0, or the same topic from Kafka, as long
as there is something to read; three queries, each with a watermark of 30 seconds and a native Delta sink. Variants:

default   every setting of Spark and Delta as it comes (200 shuffle partitions)
tuned     4 shuffle partitions, the RocksDB state store with changelog, Delta's log replayed with 2 tasks
"""

import argparse

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery

TUNED = {
    "spark.sql.shuffle.partitions": "4",
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    "spark.databricks.delta.snapshotPartitions": "2",
}
KAFKA = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0"
RECORD = "user string, page string, ms bigint, ts bigint"


def session(variant: str, cores: int) -> SparkSession:
    """A local session with Delta."""
    builder = (
        SparkSession.builder.master(f"local[{cores}]")
        .appName(f"plain {variant}")
        .config("spark.jars.packages", f"io.delta:delta-spark_4.2_2.13:4.4.0,{KAFKA}")
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
    )
    for key, value in (TUNED if variant == "tuned" else {}).items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def events(spark: SparkSession, args: argparse.Namespace) -> DataFrame:
    """The decoded records with their event time and a watermark."""
    if args.servers:
        log = (
            spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", args.servers)
            .option("subscribe", args.topic)
            .option("startingOffsets", "earliest")
            .option("maxOffsetsPerTrigger", args.records_per_trigger)
            .load()
        )
    else:
        log = (
            spark.readStream.format("delta")
            .option("startingVersion", 0)
            .option("maxFilesPerTrigger", args.files_per_trigger)
            .load(args.archive)
            .where(F.col("topic") == args.topic)
        )
    record = log.select(F.from_json(F.col("value").cast("string"), RECORD).alias("record")).select("record.*")
    return record.withColumn("event_time", F.timestamp_millis("ts")).withWatermark("event_time", "30 seconds")


def hopping(log: DataFrame) -> DataFrame:
    """Count and mean of ms by page, windows of 10 minutes, one a minute."""
    windows = log.groupBy("page", F.window("event_time", "10 minutes", "1 minute"))
    result = windows.agg(F.count("*").alias("count"), F.avg("ms").alias("mean"))
    return result.select("page", F.col("window.start").alias("window_start"), "count", "mean")


def distinct(log: DataFrame) -> DataFrame:
    """Distinct users by page and minute, estimated."""
    result = log.groupBy("page", F.window("event_time", "1 minute")).agg(
        F.approx_count_distinct("user").alias("estimate")
    )
    return result.select("page", F.col("window.start").alias("minute"), "estimate")


def first_seen(log: DataFrame) -> DataFrame:
    """Users not seen before, by minute."""
    result = log.dropDuplicates(["user"]).groupBy(F.window("event_time", "1 minute")).count()
    return result.select(F.col("window.start").alias("minute"), "count")


def start(result: DataFrame, name: str, out: str) -> StreamingQuery:
    """Write a result to a Delta table until the input is read."""
    writer = result.writeStream.format("delta").outputMode("append").queryName(name)
    return (
        writer.option("checkpointLocation", f"{out}/checkpoints/{name}")
        .trigger(availableNow=True)
        .start(f"{out}/{name}")
    )


def main() -> None:
    """Run the three queries side by side in one session."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--files-per-trigger", type=int, required=True)
    parser.add_argument("--records-per-trigger", type=int, required=True)
    parser.add_argument("--servers")
    parser.add_argument("--variant", choices=("default", "tuned"), required=True)
    args = parser.parse_args()
    spark = session(args.variant, args.cores)
    queries = [
        start(result(events(spark, args)), result.__name__, args.out) for result in (hopping, distinct, first_seen)
    ]
    for query in queries:
        query.awaitTermination()
        assert query.lastProgress
        print(f"{query.name}: {query.lastProgress['batchId'] + 1} batches")
    spark.stop()


if __name__ == "__main__":
    main()
