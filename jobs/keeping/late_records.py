"""Late records of a batch that are not taken in: left out of its events, and put into quarantine whole."""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.answers.result import Result
from jobs.events import event_time, stragglers
from jobs.events.lateness_rule import LatenessRule
from jobs.facts import kept_events


def mark(events: DataFrame | pa.Table, found: pa.Table) -> DataFrame | pa.Table:
    """Kept events of one topic, with the column `late`: whether their record is among these stragglers."""
    if isinstance(events, pa.Table):
        return kept_events.mark_late(events, found)
    if not len(found):
        return events.withColumn(kept_events.LATE, F.lit(False))
    places = _places(events, found).withColumn(kept_events.LATE, F.lit(True))
    same = (F.col("record_partition") == F.col("__partition")) & (F.col("record_offset") == F.col("__offset"))
    marked = events.join(F.broadcast(places), same, "left").drop("__partition", "__offset")
    return marked.withColumn(kept_events.LATE, F.coalesce(F.col(kept_events.LATE), F.lit(False)))


def without(events: DataFrame, found: pa.Table) -> DataFrame:
    """The events but for those `found` stragglers (stragglers.table) that were dropped or put into quarantine."""
    removed = found.filter(pc.not_equal(found["done"], stragglers.CORRECTED))
    if not len(removed):
        return events
    places = _places(events, removed)
    same = (F.col("record_partition") == F.col("__partition")) & (F.col("record_offset") == F.col("__offset"))
    return events.join(F.broadcast(places), same, "left_anti")


def to_quarantine(records: DataFrame, found: pa.Table, result: Result, rule: LatenessRule) -> DataFrame:
    """Those `found` stragglers that go to quarantine, in the columns of gate.bad_records; `records`: of the log."""
    is_quarantined = pc.equal(found["done"], stragglers.QUARANTINED)
    reasons = pc.if_else(pa.array(stragglers.too_late(found, rule)), stragglers.TOO_LATE, stragglers.LATE)
    there = found.append_column("reason", reasons).filter(is_quarantined)
    same = (F.col("partition") == F.col("__partition")) & (F.col("offset") == F.col("__offset"))
    rows = records.join(F.broadcast(_places(records, there)), same)
    names = ("partition", "offset", "timestamp", "timestampType", "key", "value", "headers")
    field = event_time.of_topic(result.topic).name
    return rows.select(F.lit(result.topic.TOPIC).alias("topic"), *names, "reason", F.lit(field).alias("field"))


def _places(frame: DataFrame, found: pa.Table) -> DataFrame:
    """The places of these stragglers, and their reasons if they have some, as a small frame."""
    names = [name for name in ("partition", "offset", "reason") if name in found.column_names]
    places = found.select(names).rename_columns(["reason" if name == "reason" else f"__{name}" for name in names])
    kinds = "__partition int, __offset long" + (", reason string" if "reason" in names else "")
    return frame.sparkSession.createDataFrame(places, kinds)
