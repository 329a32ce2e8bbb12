"""What the Spark sides of all questions share: topics of Kafka in, a Delta table out, until the input is read."""

import argparse
from collections.abc import Callable

from plain_spark import session
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

Read = Callable[[str, str], DataFrame]
"""Gives the decoded records of a topic, with a watermark on event_time: (topic, columns of its JSON)."""


def answer(question: Callable[[Read], DataFrame]) -> None:
    """Answer the question with the options of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--records-per-trigger", type=int, default=250_000)
    args = parser.parse_args()
    spark = session("tuned", args.cores)

    def read(topic: str, columns: str) -> DataFrame:
        log = (
            spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", args.servers)
            .option("subscribe", topic)
            .option("startingOffsets", "earliest")
            .option("maxOffsetsPerTrigger", args.records_per_trigger)
            .load()
        )
        record = log.select(F.from_json(F.col("value").cast("string"), columns).alias("record")).select("record.*")
        return record.withColumn("event_time", F.timestamp_millis("ts")).withWatermark("event_time", "30 seconds")

    writer = question(read).writeStream.format("delta").outputMode("append").trigger(availableNow=True)
    writer.option("checkpointLocation", f"{args.out}/checkpoint").start(f"{args.out}/answer").awaitTermination()
    spark.stop()
