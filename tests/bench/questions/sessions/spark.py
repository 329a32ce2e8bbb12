"""The peer's side of the sessions: Spark's session_window."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from questions.spark_stream import Read, answer


def sessions(read: Read) -> DataFrame:
    """The sessions that are over."""
    logins = read("logins", "user string, id bigint, ts bigint, failed boolean")
    window = F.session_window("event_time", "299999 milliseconds")
    counted = logins.groupBy("user", window).agg(F.count("*").alias("events"), F.count_if("failed").alias("failures"))
    start, end = (F.col(f"session_window.{edge}").alias(f"window_{edge}") for edge in ("start", "end"))
    return counted.select("user", start, end, "events", "failures")


if __name__ == "__main__":
    answer(sessions)
