"""A question that headrace and its peers answer from the same topics of Kafka, and its right answer, by DuckDB."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.json
from deltalake import DeltaTable

ANSWER = "answer"
"""Folder of a peer's answer: a Delta table of Spark's, Parquet files of Flink's."""


@dataclass(frozen=True)
class Question:
    """What is asked of which records. All SQL is DuckDB's, and all of it gives the same columns."""

    topics: tuple[str, ...]
    batches: Callable[[str, int], Iterator[pa.RecordBatch]]
    """The records of a topic, in the order in which they came: (topic, records of all topics together)."""
    right: str
    """The right answer; the records of each topic are the table of its name."""
    table: str
    """headrace's table."""
    read: Mapping[str, str]
    """By contender (headrace, spark, flink), how its answer is read from what it has written, the table `found`."""

    def expected(self, records: int) -> pa.Table:
        """The right answer, out of the records themselves."""
        return query(self.right, **{topic: self._table(topic, records) for topic in self.topics})

    def found(self, contender: str, out: Path) -> pa.Table:
        """What a contender has answered below the folder `out`."""
        written = {
            "headrace": lambda: DeltaTable(out / "tables" / self.table).to_pyarrow_table(),
            "spark": lambda: DeltaTable(out / ANSWER).to_pyarrow_table(),
            "flink": lambda: query(f"select * from read_parquet('{out}/{ANSWER}/*')"),
        }
        return query(self.read[contender], found=written[contender]())

    def _table(self, topic: str, records: int) -> pa.Table:
        """The fields of the records of a topic."""
        values = (value for batch in self.batches(topic, records) for value in batch["value"].to_pylist())
        return pyarrow.json.read_json(io.BytesIO(b"\n".join(values)))


def query(sql: str, **tables: pa.Table) -> pa.Table:
    """The answer of DuckDB, to which these tables are known."""
    connection = duckdb.connect()
    for name, table in tables.items():
        connection.register(name, table)
    return connection.sql(sql).to_arrow_table()


def difference(found: pa.Table, right: pa.Table) -> str:
    """How many rows are missing and how many are wrong."""
    missing, wrong = (
        query(f"select count(*) as n from (from {one} except all from {other})", found=found, wanted=right)["n"][0]
        for one, other in (("wanted", "found"), ("found", "wanted"))
    )
    return f"{len(found):,} rows of {len(right):,}, {missing.as_py():,} missing, {wrong.as_py():,} wrong"
