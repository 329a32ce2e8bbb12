"""Small questions to a Delta table, answered in this process: Spark takes seconds for each."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from jobs.running.instants import LAST_MICROS, from_micros, sql_literal

ONE_THREAD = {"datafusion.execution.target_partitions": "1"}
"""Settings of a query over some megabytes, for which more threads take more CPU and memory, and hardly less time. Rows
come file after file."""


def may_hold(path: str, column: str, start: datetime, end: datetime) -> bool:
    """Whether a file of the table may hold a `column` in [start, end), by the statistics in the Delta log."""
    files = pa.table(DeltaTable(path).get_add_actions(flatten=True))
    if not len(files):
        return False
    low, high = f"min.{column}", f"max.{column}"
    if low not in files.column_names or files[low].null_count or files[high].null_count:
        return True
    slack = timedelta(milliseconds=1)  # statistics are cut to milliseconds
    spans = zip(files[low].to_pylist(), files[high].to_pylist(), strict=True)
    return any(_utc(smallest) < end and _utc(largest) + slack >= start for smallest, largest in spans)


def _utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def read(path: str, version: int) -> pa.Table:
    """A small table as it was at `version`. Without Spark, which takes seconds to read Delta's log."""
    return rows(DeltaTable(path, version=version))


def query(table: DeltaTable, sql: str) -> pa.Table:
    """The answer to `sql`, in which the table is called `it`; its columns in its own types. For some megabytes: see
    ONE_THREAD.
    """
    rows = pa.table(QueryBuilder(ONE_THREAD).register("it", table).execute(sql).read_all())
    kinds = pa.schema(table.schema().to_arrow())
    return rows.cast(pa.schema([kinds.field(f.name) if f.name in kinds.names else f for f in rows.schema]))


def rows(table: DeltaTable) -> pa.Table:
    """All rows of the table, as `query` gives them."""
    return query(table, "select * from it")


def rows_where(table: DeltaTable, where: str) -> pa.Table:
    """The rows of the table for which this SQL holds, as `query` gives them."""
    return query(table, f"select * from it where {where}")


def literal(micros: int) -> str:
    """An instant, in microseconds since 1970, for `query`; of one that this cannot have, the nearest that it can."""
    return sql_literal(from_micros(min(max(micros, 0), LAST_MICROS)))


def identifier(name: str, sign: str = '"') -> str:
    """The name of a table or a column in SQL. `sign`: what stands around it, which Spark writes as `."""
    return sign + name.replace(sign, sign * 2) + sign


def text_literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def days(path: str, column: str, where: str) -> list[int]:
    """The days since 1970 (UTC) in which `column` lies, in rows for which `where` holds. Without Spark.

    `where` is SQL of Apache DataFusion.
    """
    sql = f"select distinct {column} as moment from it where {where}"
    rows = pa.table(QueryBuilder().register("it", DeltaTable(path)).execute(sql).read_all())
    micros = rows["moment"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    return [int(day) for day in np.unique(micros // 86_400_000_000)]


def batches(
    table: DeltaTable, columns: pa.Schema, reader: ThreadPoolExecutor, where: str = ""
) -> Iterator[pa.RecordBatch]:
    """The rows for which this SQL holds, or all, file after file, with these columns; one that the table does not have
    is null.

    The `reader` reads, as deltalake cannot do so in the thread in which it writes.
    """
    query = QueryBuilder(ONE_THREAD).register("it", table)
    stream = reader.submit(query.execute, f"select * from it where {where or 'true'}").result()
    while (rows := reader.submit(next, stream, None).result()) is not None:
        batch = pa.record_batch(rows)
        arrays = [
            batch[field.name].cast(field.type) if field.name in batch.schema.names else pa.nulls(len(batch), field.type)
            for field in columns
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=columns)
