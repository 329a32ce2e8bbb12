"""Delta tables of a result: made, appended to and merged, each write once however often its batch is tried.

The only code that writes them. Delta's own transaction ids (txnAppId, txnVersion) are not used: two writes under one
id, or ids left in the session, make later rows vanish without an error, and to look one up Spark rebuilds the state of
the table, which is most of the cost of a small append. Instead each commit says in its userMetadata which step of
which ledger row it is; a step that is there already is not written again, and one that is there twice is an error.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from delta.tables import DeltaTable as SparkDeltaTable
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Schema, write_deltalake
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from jobs.run import Refused

_METADATA = "spark.databricks.delta.commitInfo.userMetadata"


class WrittenTwice(Refused):
    """Another run writes to the table. The ledger row is not written, and the next run takes the writes back."""


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

    def is_said_by(self, metadata: dict[str, object]) -> bool:
        """Whether a commit that says this of itself is this one."""
        return (metadata.get("generation"), metadata.get("sequence"), metadata.get("step")) == (
            self.generation,
            self.sequence,
            self.step,
        )

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
    if find(path) is not None:
        return
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
    if "://" not in path:
        _write_checksum(Path(path) / "_delta_log")


def _write_checksum(log: Path) -> None:
    """Delta's checksum file of an empty table (PROTOCOL.md, "Version Checksum File"), which deltalake does not write.

    From it Spark derives each later one; without it, the first write has to rebuild the table's state, which takes
    seconds.
    """
    actions = [json.loads(line) for line in (log / f"{0:020}.json").read_text().splitlines()]
    said = {name: action[name] for action in actions for name in ("protocol", "metaData") if name in action}
    counts = {"tableSizeBytes": 0, "numFiles": 0, "numMetadata": 1, "numProtocol": 1}
    lists: dict[str, list[object]] = {"setTransactions": [], "domainMetadata": [], "allFiles": []}
    content = counts | lists | {"metadata": said["metaData"], "protocol": said["protocol"]}
    (log / f"{0:020}.crc").write_text(json.dumps(content))


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
    return _said(table, newer)[::-1]


def _said(table: DeltaTable, newest: int | None) -> list[dict[str, Any]]:
    """What the newest commits (None: all) say of themselves, newest first; {} for foreign ones."""
    return [json.loads(entry.get("userMetadata") or "{}") for entry in table.history(newest)]


def foreign(path: str) -> list[tuple[int, str]]:
    """(version, operation) of the commits that changed rows and are not ours, oldest first."""
    found = []
    for entry in DeltaTable(path).history():
        said = json.loads(entry.get("userMetadata") or "{}")
        if entry.get("operation") in _CHANGES and not {"sequence", "step"} & said.keys():
            found.append((int(entry["version"]), str(entry["operation"])))
    return found[::-1]


_CHANGES = ("WRITE", "MERGE", "DELETE", "UPDATE", "STREAMING UPDATE", "TRUNCATE", "COPY INTO")


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


def read(path: str, version: int) -> pa.Table:
    """A small table as it was at `version`. Without Spark, which takes seconds to look into Delta's log."""
    table = DeltaTable(path, version=version)
    rows = pa.table(QueryBuilder().register("it", table).execute("select * from it").read_all())
    return rows.cast(pa.schema(table.schema().to_arrow()))


def days(path: str, column: str, where: str) -> list[int]:
    """The days since 1970 (UTC) in which `column` lies, in rows for which `where` holds. Without Spark.

    `where` is SQL of Apache DataFusion.
    """
    sql = f"select distinct date_trunc('day', {column}) as day from it where {where} order by 1"
    found = pa.table(QueryBuilder().register("it", DeltaTable(path)).execute(sql).read_all())
    return [moment.toordinal() - _EPOCH.toordinal() for moment in found["day"].to_pylist()]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def append(frame: DataFrame, path: str, commit: Commit) -> None:
    """Append `frame`, once."""
    if not _is_written(path, commit):
        frame.write.format("delta").mode("append").option("userMetadata", commit.metadata()).save(path)


def replace(rows: pa.Table, path: str, where: str, commit: Commit) -> None:
    """Put `rows` in the place of the partitions (folders) of the table for which `where` holds, once and in one commit.

    Without Spark, which takes seconds for it. `where` is SQL of Apache DataFusion over the partition columns.
    """
    if _is_written(path, commit):
        return
    table = DeltaTable(path)
    rows = rows.select(table.schema().to_arrow().names).cast(pa.schema(table.schema().to_arrow()))
    said = CommitProperties(custom_metadata={"userMetadata": commit.metadata()})
    write_deltalake(table, rows, mode="overwrite", predicate=where, commit_properties=said)


def merge(source: DataFrame, path: str, condition: str, changed: str, update: dict[str, str], commit: Commit) -> None:
    """Upsert `source` (alias s) into the table (alias t), once: rows that match `condition` are updated with `update`
    if `changed` holds, the others are inserted.
    """
    if _is_written(path, commit):
        return
    spark = source.sparkSession
    target = SparkDeltaTable.forPath(spark, path).alias("t")
    merging = target.merge(source.alias("s"), condition).whenMatchedUpdate(changed, dict(update))
    try:  # Spark has no other way to give MERGE its userMetadata than the session's settings
        spark.conf.set(_METADATA, commit.metadata())
        merging.whenNotMatchedInsertAll().execute()
    finally:
        spark.conf.unset(_METADATA)


def restore(path: str, version: int) -> None:
    """Put the table back to what it was at `version`, as a new version. Without Spark, which takes seconds for it."""
    DeltaTable(path).restore(version)


def _is_written(path: str, commit: Commit) -> bool:
    """Whether the table holds this step; looks back to the last commit of an earlier ledger row."""
    table = DeltaTable(path)
    for limit in (10, None):
        said = _said(table, limit)
        if any(commit.is_said_by(metadata) for metadata in said):
            return True
        if any(metadata.get("sequence", commit.sequence) < commit.sequence for metadata in said):
            return False
    return False


def check_only_writer(path: str, version: int, closing: Commit) -> None:
    """Raises WrittenTwice unless our commits after `version` are steps of the ledger row `closing`, each once."""
    found = [commit for commit in commits_after(path, version) if "sequence" in commit]
    steps = [commit["step"] for commit in found]
    for commit in found:
        strange = (commit["generation"], commit["sequence"]) != (closing.generation, closing.sequence)
        if strange or steps.count(commit["step"]) > 1:
            raise WrittenTwice(
                f"{path} has {commit['step']} of ledger row {commit['sequence']}, which this run did not write: "
                f"another run of {closing.job} is writing too. Stop it and run again: what is not in the ledger is "
                "taken back."
            )
