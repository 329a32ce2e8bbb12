"""Delta tables of a result: created, appended to, merged and restored.

Only the ledger writes its rows itself (ledger.py). A step that is there already (commits.py) is not written again. What
is small is written by deltalake in this process, in a tenth of the time that Spark takes; what is large by Spark.
"""

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from jobs.lake import commits, table_queries
from jobs.running import one_look, spark_plan
from jobs.running.errors import Refused

try:
    from delta.tables import DeltaTable as SparkDeltaTable
except TypeError:  # it reads its own docstrings
    raise Refused("delta-spark needs docstrings: start Python without -OO, and with PYTHONOPTIMIZE below 2.") from None

_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
SMALL_BYTES = 32 * 2**20
"""Up to this size of the cache rows are appended without Spark: a commit then takes a tenth of the time."""


def create(
    path: str,
    columns: StructType,
    partitioned_by: tuple[str, ...],
    sentence: str,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Create an empty table, with these Delta table properties, if there is none; `sentence` is its description."""
    if find(path) is not None:
        return
    DeltaTable.create(
        path,
        schema=_schema(columns),
        mode="ignore",
        partition_by=list(partitioned_by) or None,
        description=sentence,
        configuration={"delta.checkpointInterval": "20"} | dict(settings or {}),
        commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps({"step": "create"})}),
    )
    if "://" not in path:
        _write_checksum(Path(path) / "_delta_log")


def _schema(columns: StructType) -> Schema:
    """Delta's, in which null may stand everywhere."""
    nullable = StructType.fromJson(json.loads(columns.json()))
    for field in nullable:
        field.nullable = True
    return Schema.from_json(nullable.json())


def _write_checksum(log: Path) -> None:
    """Delta's checksum file of an empty table (PROTOCOL.md, "Version Checksum File"), which deltalake does not write.

    From it Spark derives each later one; without it, the first write has to rebuild the table's state, which takes
    seconds.
    """
    actions = [json.loads(line) for line in (log / f"{0:020}.json").read_text(encoding="utf-8").splitlines()]
    by_name = {name: action[name] for action in actions for name in ("protocol", "metaData") if name in action}
    counts = {"tableSizeBytes": 0, "numFiles": 0, "numMetadata": 1, "numProtocol": 1}
    lists: dict[str, list[object]] = {"setTransactions": [], "domainMetadata": [], "allFiles": []}
    content = counts | lists | {"metadata": by_name["metaData"], "protocol": by_name["protocol"]}
    (log / f"{0:020}.crc").write_text(json.dumps(content), encoding="utf-8")


def find(path: str) -> DeltaTable | None:
    """The table as `commits.open_table` gives it, without Spark; None if there is none."""
    return one_look.recall(("table or none", path), lambda: _find(path))


def _find(path: str) -> DeltaTable | None:
    try:
        return commits.open_table(path)
    except TableNotFoundError:
        return None


def identity(path: str) -> tuple[str, int]:
    """Delta's id of the table, and its version now."""
    table = DeltaTable(path)
    return str(table.metadata().id), table.version()


def append(
    rows: DataFrame | pa.Table, path: str, commit: commits.Commit, numbers: Mapping[str, int | None]
) -> pa.Table | None:
    """Append `rows` once, with more columns: each of `numbers` is the same whole number in all rows.

    Returns what was appended if it was at most SMALL_BYTES, and so written in this process; else None.
    """
    if commits.is_written(path, commit):
        return None
    if isinstance(rows, DataFrame) and not _is_small(rows):
        numbered = rows.withColumns({name: F.lit(number).cast("bigint") for name, number in numbers.items()})
        numbered.coalesce(1).write.format("delta").mode("append").option("userMetadata", commit.metadata()).save(path)
        return None
    table, small = DeltaTable(path), rows.toArrow() if isinstance(rows, DataFrame) else rows
    # The numbers are added here, not in Spark, which would compile its code again for each.
    for name, number in numbers.items():
        small = small.append_column(name, pa.repeat(pa.scalar(number, pa.int64()), len(small)))
    small = small.select(_columns(table).names).cast(_columns(table))
    write_deltalake(table, small, mode="append", commit_properties=_properties(commit))
    return small


def _is_small(frame: DataFrame) -> bool:
    """Spark knows the size only of a frame over cached ones, and assumes that any other is huge."""
    return spark_plan.size_in_bytes(frame) <= SMALL_BYTES


def _columns(table: DeltaTable) -> pa.Schema:
    return pa.schema(table.schema().to_arrow())


def _properties(commit: commits.Commit) -> CommitProperties:
    return CommitProperties(custom_metadata={"userMetadata": commit.metadata()})


def merge_rows(
    upserted: pa.Table, removed: pa.Table, path: str, key: tuple[str, ...], commit: commits.Commit, nullable: str = ""
) -> None:
    """Put rows in the place of those of their `key`, or add them, and remove others, once and in one commit. A key with
    a null is that of no row, but in the column `nullable`, in which null equals null. Without Spark.
    """
    if commits.is_written(path, commit) or not (len(upserted) or len(removed)):
        return
    table = DeltaTable(path)
    columns = _columns(table)
    parts = [rows.select(columns.names).cast(columns) for rows in (upserted, removed)]
    is_removed = np.repeat([False, True], [len(upserted), len(removed)])
    source = pa.concat_tables(parts).append_column("__removed", pa.array(is_removed))
    values = {f'"{name}"': f's."{name}"' for name in columns.names}
    terms = [f't."{name}" = s."{name}"' for name in key if name != nullable]
    if nullable in key:
        terms.append(f'(t."{nullable}" = s."{nullable}" or (t."{nullable}" is null and s."{nullable}" is null))')
    same = " and ".join(terms)
    merger = table.merge(source, same, source_alias="s", target_alias="t", commit_properties=_properties(commit))
    merger = merger.when_matched_delete("s.__removed").when_matched_update(values, "not s.__removed")
    merger.when_not_matched_insert(values, "not s.__removed").execute()


def replace(
    rows: pa.Table, path: str, where: str, commit: commits.Commit, target_file_bytes: int | None = None
) -> None:
    """Put `rows` in the place of the rows of the table for which `where` holds, once and in one commit.

    Without Spark, which takes seconds for it. `where` is SQL of Apache DataFusion; files that cannot have such rows, by
    their statistics, are left as they are.
    """
    if commits.is_written(path, commit):
        return
    table = DeltaTable(path)
    rows = rows.select(_columns(table).names).cast(_columns(table))
    write_deltalake(
        table,
        rows,
        mode="overwrite",
        predicate=where,
        target_file_size=target_file_bytes,
        commit_properties=_properties(commit),
    )


def overwrite(rows: pa.Table, path: str, commit: commits.Commit, target_file_bytes: int | None = None) -> None:
    """Put `rows` in the place of all rows of the table, once and in one commit. Without Spark."""
    if commits.is_written(path, commit):
        return
    table = DeltaTable(path)
    rows = rows.select(_columns(table).names).cast(_columns(table))
    write_deltalake(
        table, rows, mode="overwrite", target_file_size=target_file_bytes, commit_properties=_properties(commit)
    )


def replace_in_pieces(
    pieces: Iterator[pa.Table], path: str, where: str, commit: commits.Commit, target_file_bytes: int
) -> None:
    """As replace, with rows that come in pieces, of which few are in memory at once; still one commit.

    What `pieces` raises is raised here, and then nothing is committed.
    """
    if commits.is_written(path, commit):
        return
    table, failures = DeltaTable(path), []
    columns = _columns(table)

    def batches(reader: ThreadPoolExecutor) -> Iterator[pa.RecordBatch]:
        try:  # in another thread: deltalake cannot read in the one in which it writes
            while (rows := reader.submit(next, pieces, None).result()) is not None:
                yield from rows.select(columns.names).cast(columns).to_batches(5000)
        except Exception as error:
            failures.append(error)
            raise

    with ThreadPoolExecutor(1) as reader:
        try:
            write_deltalake(
                table,
                pa.RecordBatchReader.from_batches(columns, batches(reader)),
                mode="overwrite",
                predicate=where,
                target_file_size=target_file_bytes,
                commit_properties=_properties(commit),
            )
        except Exception as error:
            raise (failures[0] if failures else error) from None


def rewrite(path: str, columns: StructType, commit: commits.Commit, target_file_bytes: int | None = None) -> None:
    """Write the whole table again with `columns`: its own, which may have wider types, and new ones, which are null.

    Once and in one commit, without Spark. Rows keep their order and columns their comments, and readers always see the
    same values.
    """
    if commits.is_written(path, commit):
        return
    table = DeltaTable(path)
    target = pa.schema(_schema(columns).to_arrow())
    for place, field in enumerate(target):
        if field.name in _columns(table).names:
            target = target.set(place, field.with_metadata(_columns(table).field(field.name).metadata))
    with ThreadPoolExecutor(1) as reader:
        write_deltalake(
            table,
            pa.RecordBatchReader.from_batches(target, table_queries.batches(table, target, reader)),
            mode="overwrite",
            schema_mode="overwrite",
            target_file_size=target_file_bytes,
            commit_properties=_properties(commit),
        )


def merge(
    source: DataFrame, path: str, condition: str, changed: str, update: dict[str, str], commit: commits.Commit
) -> None:
    """Upsert `source` (alias s) into the table (alias t), once: rows that match `condition` are updated with `update`
    if `changed` holds, the others are inserted.
    """
    if commits.is_written(path, commit):
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
