"""How to read a table elsewhere: one line for each tool, ready to be copied."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class ReadingLine:
    """What to type."""

    tool: str
    line: str


def lines(name: str, path: str) -> list[ReadingLine]:
    """For the table `name` at `path`. Paths and names are written as the language quotes them."""
    sql = f'select * from "{name}" limit 10'
    return [
        ReadingLine("headrace", f"headrace query {shlex.quote(sql)}"),
        ReadingLine("pandas", f"from deltalake import DeltaTable; rows = DeltaTable({path!r}).to_pandas()"),
        ReadingLine("DuckDB", f"select * from delta_scan('{path.replace(chr(39), 2 * chr(39))}') limit 10"),
        ReadingLine("Spark", f'spark.read.format("delta").load({path!r}).show()'),
    ]
