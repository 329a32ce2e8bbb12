"""How to read a table elsewhere: one line for each tool, ready to be copied."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class ReadingLine:
    """What to type."""

    tool: str
    line: str


def lines(name: str, path: str) -> list[ReadingLine]:
    """For the table `name` at `path`. Neither needs the network, as DuckDB's own reader of Delta tables does."""
    sql = f'select * from "{name}" limit 10'
    duckdb = f"import deltalake, duckdb; rows = deltalake.DeltaTable({path!r}).to_pyarrow_dataset(); "
    return [
        ReadingLine("headrace", f"headrace query {shlex.quote(sql)}"),
        ReadingLine("pandas", f"from deltalake import DeltaTable; rows = DeltaTable({path!r}).to_pandas()"),
        ReadingLine("DuckDB", f"{duckdb}print(duckdb.sql('select * from rows limit 10'))"),
        ReadingLine("Spark", f'spark.read.format("delta").load({path!r}).show()'),
    ]
