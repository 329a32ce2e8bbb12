"""Looks into a Delta table for a check."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder


def rows(path: str | Path) -> list[dict[str, Any]]:
    """The rows of the table in the folder `path`, in no order. deltalake's own to_pyarrow_table may end the process."""
    found = QueryBuilder().register("it", DeltaTable(str(path))).execute("select * from it")
    return pa.table(found.read_all()).to_pylist()


def commits_of_spark(path: str | Path) -> int:
    """How many commits of the table Spark has made, and not deltalake."""
    return sum(str(commit.get("engineInfo")).startswith("Apache-Spark") for commit in DeltaTable(str(path)).history())
