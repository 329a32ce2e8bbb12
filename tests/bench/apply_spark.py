"""Spark's side of apply_changes.py: the last row of each key of a batch, by MERGE in foreachBatch."""

import argparse

from delta.tables import DeltaTable
from plain_spark import session
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

RECORD = "id bigint, name string, credit bigint, number bigint"


def main() -> None:
    """Read the topic to its end, bring the table up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    spark = session("tuned", 2)
    path = f"{args.out}/table"
    DeltaTable.createIfNotExists(spark).location(path).addColumns(
        spark.createDataFrame([], f"{RECORD}, place bigint").schema
    ).execute()

    def merge(batch: DataFrame, _: int) -> None:
        newest = Window.partitionBy("id").orderBy(F.col("place").desc())
        last = batch.withColumn("rank", F.row_number().over(newest)).where("rank = 1").drop("rank")
        merging = DeltaTable.forPath(spark, path).alias("t").merge(last.alias("s"), "t.id = s.id")
        merging.whenMatchedUpdateAll("s.place > t.place").whenNotMatchedInsertAll().execute()

    log = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", args.servers)
        .option("subscribe", "customers")
        .option("startingOffsets", "earliest")
        .option("maxOffsetsPerTrigger", 500_000)
        .load()
    )
    rows = log.select(F.from_json(F.col("value").cast("string"), RECORD).alias("row"), F.col("offset").alias("place"))
    query = rows.select("row.*", "place").writeStream.foreachBatch(merge).trigger(availableNow=True)
    query.option("checkpointLocation", f"{args.out}/checkpoint").start().awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main()
