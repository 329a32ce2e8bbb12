"""Events get the column `seen_before`: a step for all partitions of a batch, and the filters that it changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BooleanType, LongType, StructField, StructType

from jobs.decisions.decision import StateKind
from jobs.decisions.membership import Membership
from jobs.decisions.sighting_tracker import SightingTracker
from jobs.events import key_hash, task_facts
from jobs.events.arrow_step import ArrowStep
from jobs.events.task_facts import FactAccumulator, Facts
from jobs.running.instants import EPOCH, sql_literal, to_micros
from schemas import filters as filters_schema

HASH = StructField("__key_hash", LongType())
"""The column that `with_key_hash` adds."""


@dataclass(frozen=True)
class SeenBefore:
    """The decision (see decision.py) whether a key was seen before."""

    membership: Membership
    allowed_seconds: int
    kind: StateKind = "filters"
    state: StructType = filters_schema.COLUMNS
    partitioned_by: tuple[str, ...] = filters_schema.PARTITIONED_BY
    state_name: str = "filters of membership"
    needs: tuple[str, ...] = ("record_partition", "record_offset", "record_key")
    replaced_columns: tuple[str, ...] = ("record_key",)

    @property
    def columns(self) -> StructType:
        """`seen_before`."""
        comment = (
            f"Whether the record key came before, within {self.membership.horizon}; null: too late to say, or no key."
        )
        return StructType([StructField("seen_before", BooleanType(), True, {"comment": comment})])

    def check(self, events: StructType) -> None:
        """The columns in `needs` are those of the record."""

    def prepare(self, rows: ArrowStep) -> ArrowStep:
        """With the hash of their keys."""
        return rows.then(hash_step(rows.output))

    def prepare_frame(self, rows: DataFrame) -> DataFrame:
        """With the hash of their keys."""
        return with_key_hash(rows)

    def step(self, kinds: StructType, stored: pa.Table, facts: FactAccumulator) -> ArrowStep:
        """As `mark_step`."""
        return mark_step(kinds, stored, self.membership, self.allowed_seconds, facts)

    def changed_state(self, facts: Facts) -> pa.Table:
        """As `changed_filters`."""
        return changed_filters(facts)

    def replacement(self, stored: pa.Table, changed: pa.Table) -> tuple[pa.Table, str | None]:
        """The changed filters, in the place of their earlier ones and of those that are too old to be asked."""
        rows = changed.drop_columns(["bits"]).to_pylist()
        streams = {row["partition"]: to_micros(row["stream_time"]) for row in rows}
        oldest = {
            partition: self.membership.oldest_bucket(micros, self.allowed_seconds)
            for partition, micros in streams.items()
        }
        length = timedelta(microseconds=self.membership.bucket_micros)
        conditions = [(partition, "<", EPOCH + bucket * length) for partition, bucket in sorted(oldest.items())]
        conditions += [(row["partition"], "=", row["bucket_time"]) for row in rows]
        where = " or ".join(
            f"(partition = {partition} and bucket_time {sign} {sql_literal(time)})"
            for partition, sign, time in conditions
        )
        return changed, where

    def ledger_numbers(self, changed: pa.Table) -> Mapping[str, Any]:
        """How full the filters are."""
        fullest, rates = (changed[name].to_pylist() for name in ("fill", "false_positive_rate"))
        return {"filter_fill": max(fullest), "filter_false_positive_rate": max(rates)}

    def add_undecided(self, rows: DataFrame) -> DataFrame:
        """`rows` with null, which means too late to say."""
        return rows.withColumn("seen_before", F.lit(None).cast("boolean"))


def with_key_hash(events: DataFrame, key: str = "record_key") -> DataFrame:
    """`events` with the hash of their keys, null where there is no key, as `mark_step` takes them."""
    return events.withColumn(HASH.name, F.when(F.col(key).isNotNull(), F.xxhash64(key)))


def hash_step(kinds: StructType) -> ArrowStep:
    """The step that does `with_key_hash` to events of the columns `kinds`, which it also hands on."""
    columns = StructType([*kinds, HASH])

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield batch.append_column(HASH.name, key_hash.key_hashes(batch["record_key"]))

    return ArrowStep(process, columns)


def mark_step(
    kinds: StructType,
    filters: pa.Table,
    membership: Membership,
    allowed_seconds: int,
    filter_facts: FactAccumulator,
) -> ArrowStep:
    """The step that adds the column `seen_before` to events of the columns `kinds`, with `with_key_hash`: true, false,
    or null for an event that is too late to say or has no key.

    The events of a partition must be in one task, in order of offset: see decision.in_order. `filters` holds those
    before these events, in the columns of schemas/filters.py. Adds the filters that changed to `filter_facts`: see
    `changed_filters`.
    """
    columns = [field for field in kinds if field.name != HASH.name]
    output = StructType([*columns, StructField("seen_before", BooleanType())])
    target = to_arrow_schema(output, timezone="UTC")
    before: dict[int, list[dict[str, Any]]] = {}
    for row in filters.to_pylist():
        before.setdefault(row["partition"], []).append(row)

    def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        trackers: dict[int, SightingTracker] = {}
        for batch in batches:
            partitions = batch["record_partition"].to_numpy()
            seen, unknown = np.zeros(batch.num_rows, bool), np.zeros(batch.num_rows, bool)
            hashes = batch[HASH.name].dictionary_encode()  # equal keys are asked for once
            different = hashes.dictionary.to_numpy()
            asked = (batch["record_offset"], batch["event_time"].cast(pa.int64()), hashes.indices.fill_null(-1))
            numbers = [column.to_numpy() for column in asked]
            for partition in np.unique(partitions).tolist():
                here = partitions == partition
                if partition not in trackers:
                    trackers[partition] = SightingTracker(membership, allowed_seconds, before.get(partition, []))
                offsets, micros, keys = (column[here] for column in numbers)
                seen[here], unknown[here] = trackers[partition].ask(offsets, micros, keys, different)
            others = [batch[name].cast(target.field(name).type) for name in target.names[:-1]]
            yield pa.RecordBatch.from_arrays([*others, pa.array(seen, mask=unknown)], schema=target)
        facts = {(partition, tracker.first_offset): tracker.facts() for partition, tracker in trackers.items()}
        task_facts.report(filter_facts, facts)

    return ArrowStep(process, output)


def changed_filters(facts: Facts) -> pa.Table:
    """The filters in the facts of a `mark_step`: partition and the columns of schemas.filters.CONTENT."""
    rows = [{"partition": partition} | row for (partition, _), fact in facts.items() for row in fact["filters"]]
    columns = [field for field in filters_schema.COLUMNS if field.name != "sequence"]
    return pa.Table.from_pylist(rows, schema=to_arrow_schema(StructType(columns), timezone="UTC"))
