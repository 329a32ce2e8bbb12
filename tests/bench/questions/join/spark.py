"""The peer's side of the join: Spark's own left outer join of two streams."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from questions.spark_stream import Read, answer

RECORD = "user string, id bigint, ts bigint"


def joined(read: Read) -> DataFrame:
    """The pairs."""
    left, right = read("searches", RECORD).alias("s"), read("clicks", RECORD).alias("c")
    condition = F.expr(
        "s.user = c.user and c.event_time >= s.event_time and c.event_time <= s.event_time + interval 10 minutes"
    )
    return left.join(right, condition, "left_outer").selectExpr("s.id as id", "c.id as click_id")


if __name__ == "__main__":
    answer(joined)
