"""Delta tables of a result: made, appended to and merged, each write once however often its batch is tried.

The only code that sets Delta's transaction ids. Two writes under one id, or ids left in the session, make later rows
vanish without an error: so each step has an id of its own, they are unset in any case, and each write is looked for
afterwards.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa
from delta.tables import DeltaTable as SparkDeltaTable
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

_TXN_APP = "spark.databricks.delta.write.txnAppId"
_TXN_VERSION = "spark.databricks.delta.write.txnVersion"
_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


class WriteVanished(Exception):
    """Delta took a write for one that it had already seen. Nothing was lost: the batch is not in the ledger."""


@dataclass(frozen=True)
class Commit:
    """What a commit says of itself, and what makes it happen once."""

    job: str
    generation: str
    sequence: int
    """The ledger row that will close the batch: greater in every batch, the same when a batch is tried again."""
    step: str
    start_offsets: dict[int, int]
    end_offsets: dict[int, int]

    @property
    def app_id(self) -> str:
        """Delta's transaction id is this and the sequence."""
        return f"{self.job}:{self.generation}:{self.step}"

    def metadata(self) -> str:
        """The commit's userMetadata: which records it covers."""
        said = {
            "job": self.job,
            "generation": self.generation,
            "sequence": self.sequence,
            "step": self.step,
            "start_offsets": self.start_offsets,
            "end_offsets": self.end_offsets,
        }
        return json.dumps(said, separators=(",", ":"))


def create(path: str, columns: StructType, partitioned_by: tuple[str, ...], sentence: str) -> None:
    """Make an empty table, if there is none."""
    nullable = StructType.fromJson(json.loads(columns.json()))
    for field in nullable:
        field.nullable = True
    DeltaTable.create(
        path,
        schema=Schema.from_json(nullable.json()),
        mode="ignore",
        partition_by=list(partitioned_by) or None,
        description=sentence,
        configuration={"delta.checkpointInterval": "20"},
        commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps({"step": "create"})}),
    )


def find(path: str) -> DeltaTable | None:
    """The table as it is now, opened without Spark; None if there is none."""
    try:
        return DeltaTable(path)
    except TableNotFoundError:
        return None


def identity(path: str) -> tuple[str, int]:
    """Delta's id of the table, and its version now."""
    table = DeltaTable(path)
    return str(table.metadata().id), table.version()


def commits_after(path: str, version: int) -> list[dict[str, object]]:
    """What the commits after `version` say of themselves (Commit.metadata), oldest first; {} for foreign ones."""
    table = DeltaTable(path)
    newer = table.version() - version
    if newer <= 0:
        return []
    return [json.loads(entry.get("userMetadata") or "{}") for entry in reversed(table.history(newer))]


def has_older(path: str, column: str, micros: int) -> bool:
    """Whether the table has a partition whose timestamp `column` lies before `micros` since 1970. Reads no data."""
    bound = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    starts = [datetime.fromisoformat(partition[column]) for partition in DeltaTable(path).partitions()]
    return any(_utc(start) < bound for start in starts)


def reaches_into(path: str, column: str, first: datetime, after: datetime) -> bool:
    """Whether a file of the table may hold a `column` in [first, after), by the statistics in the Delta log."""
    files = pa.table(DeltaTable(path).get_add_actions(flatten=True))
    if not len(files):
        return False
    low, high = f"min.{column}", f"max.{column}"
    if low not in files.column_names or files[low].null_count or files[high].null_count:
        return True
    slack = timedelta(milliseconds=1)  # statistics are cut to milliseconds
    spans = zip(files[low].to_pylist(), files[high].to_pylist(), strict=True)
    return any(_utc(smallest) < after and _utc(largest) + slack >= first for smallest, largest in spans)


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def append(frame: DataFrame, path: str, commit: Commit) -> None:
    """Append `frame`, once."""
    _write(frame, path, commit, {})


def replace_partitions(frame: DataFrame, path: str, commit: Commit) -> None:
    """Put `frame` in the place of those partitions (folders) of the table that it has rows for, once."""
    _write(frame, path, commit, {"partitionOverwriteMode": "dynamic"})


def _write(frame: DataFrame, path: str, commit: Commit, options: dict[str, str]) -> None:
    mode = "overwrite" if options else "append"
    writer = frame.write.format("delta").mode(mode).options(**options)
    writer = writer.option("txnAppId", commit.app_id).option("txnVersion", commit.sequence)
    writer.option("userMetadata", commit.metadata()).save(path)
    _look_for(path, commit)


def merge(source: DataFrame, path: str, condition: str, changed: str, update: dict[str, str], commit: Commit) -> None:
    """Upsert `source` (alias s) into the table (alias t), once: rows that match `condition` are updated with `update`
    if `changed` holds, the others are inserted.
    """
    with _once(source.sparkSession, commit):
        target = SparkDeltaTable.forPath(source.sparkSession, path).alias("t")
        merging = target.merge(source.alias("s"), condition).whenMatchedUpdate(changed, dict(update))
        merging.whenNotMatchedInsertAll().execute()
    _look_for(path, commit)


def delete(spark: SparkSession, path: str, condition: str, commit: Commit) -> None:
    """Delete the rows for which `condition` holds, once."""
    with _once(spark, commit):
        SparkDeltaTable.forPath(spark, path).delete(condition)


def update(spark: SparkSession, path: str, condition: str, values: dict[str, str], commit: Commit) -> None:
    """Set `values` in the rows for which `condition` holds, once."""
    with _once(spark, commit):
        SparkDeltaTable.forPath(spark, path).update(condition, dict(values))


def restore(path: str, version: int) -> None:
    """Put the table back to what it was at `version`, as a new version. Without Spark, which takes seconds for it."""
    DeltaTable(path).restore(version)


@contextmanager
def _once(spark: SparkSession, commit: Commit) -> Iterator[None]:
    # Spark has no other way to give MERGE a transaction id than the session's settings.
    settings = {_TXN_APP: commit.app_id, _TXN_VERSION: str(commit.sequence), _METADATA: commit.metadata()}
    try:
        for name, value in settings.items():
            spark.conf.set(name, value)
        yield
    finally:
        for name in settings:
            spark.conf.unset(name)


def _look_for(path: str, commit: Commit) -> None:
    found = DeltaTable(path).transaction_version(commit.app_id)
    if found != commit.sequence:
        raise WriteVanished(
            f"{path}: the write of {commit.app_id} for ledger row {commit.sequence} is not in the table "
            f"(its last one is for row {found}). Another writer is using this result's name; stop it and run again."
        )
