"""Lateness as a property of the log: stream time of a partition less a record's event time.

Stream time of a partition is the largest event time at any earlier offset, so who is late does not depend on how the
log is cut into batches.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F


def _carried(stream_times: dict[int, int]) -> Column:
    """Stream time before the batch, microseconds since 1970, by partition; null for a partition not seen yet."""
    if not stream_times:
        return F.lit(None).cast("bigint")
    pairs = [F.lit(number) for pair in sorted(stream_times.items()) for number in pair]
    return F.try_element_at(F.create_map(*pairs).cast("map<int,bigint>"), F.col("record_partition"))


def measure(decoded: DataFrame, stream_times: dict[int, int]) -> DataFrame:
    """Columns record_partition, record_timestamp, event_micros, good, lateness_micros (0: not behind) of each record.

    `stream_times` is the stream time of each partition before these records, in microseconds since 1970.
    """
    narrow = decoded.select(
        "record_partition",
        "record_offset",
        "record_timestamp",
        F.unix_micros("event_time").alias("event_micros"),
        F.col("fault").isNull().alias("good"),
    )
    earlier = Window.partitionBy("record_partition").orderBy("record_offset").rowsBetween(Window.unboundedPreceding, -1)
    stream_time = F.greatest(F.max("event_micros").over(earlier), _carried(stream_times))
    lateness = F.greatest(stream_time - F.col("event_micros"), F.lit(0))
    return narrow.withColumn("lateness_micros", lateness).drop("record_offset")


def summarise(measured: DataFrame, allowed_seconds: int) -> DataFrame:
    """One row per partition: records, quarantined, out_of_order, late (further behind than `allowed_seconds`),
    stream_micros, record_micros (latest record timestamp), and `lateness_sketch`: a KLL sketch of the seconds that the
    out-of-order records are behind (normalised rank error about 1.3 %; Karnin, Lang, Liberty: "Optimal quantile
    approximation in streams", FOCS 2016).
    """
    behind = F.col("lateness_micros") > 0
    seconds = F.when(behind, F.col("lateness_micros") / F.lit(1e6))
    return measured.groupBy("record_partition").agg(
        F.count(F.lit(1)).alias("records"),
        F.count_if(~F.col("good")).alias("quarantined"),
        F.count_if(behind).alias("out_of_order"),
        F.count_if(F.col("lateness_micros") > F.lit(allowed_seconds * 1_000_000)).alias("late"),
        F.max("event_micros").alias("stream_micros"),
        F.max(F.unix_micros("record_timestamp")).alias("record_micros"),
        F.kll_sketch_agg_double(seconds).alias("lateness_sketch"),
    )
