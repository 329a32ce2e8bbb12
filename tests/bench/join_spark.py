"""The peer: Spark's own left outer join of two streams, to a Delta table.

It leaves out the last searches without a click.
"""

import argparse

from plain_spark import session
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

RECORD = "user string, id bigint, ts bigint"


def events(spark: SparkSession, args: argparse.Namespace, topic: str) -> DataFrame:
    """The decoded records of a topic, with a watermark."""
    log = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", args.servers)
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", args.records_per_trigger)
        .load()
    )
    record = log.select(F.from_json(F.col("value").cast("string"), RECORD).alias("record")).select("record.*")
    return record.withColumn("event_time", F.timestamp_millis("ts")).withWatermark("event_time", "30 seconds")


def main() -> None:
    """Join until the input is read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", nargs=2, required=True)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--records-per-trigger", type=int, default=250_000)
    args = parser.parse_args()
    spark = session("tuned", args.cores)
    left, right = (events(spark, args, topic).alias(name) for topic, name in zip(args.topics, "sc", strict=True))
    condition = F.expr(
        "s.user = c.user and c.event_time >= s.event_time and c.event_time <= s.event_time + interval 10 minutes"
    )
    joined = left.join(right, condition, "left_outer").selectExpr("s.id as id", "c.id as click_id")
    writer = joined.writeStream.format("delta").outputMode("append")
    writer.option("checkpointLocation", f"{args.out}/checkpoint").trigger(availableNow=True).start(
        f"{args.out}/joined"
    ).awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
