"""What was taken back from a table was not written: it may be written again."""

from pathlib import Path

import pyarrow as pa
from pyspark.sql.types import LongType, StructField, StructType

from jobs.lake import commits, delta_tables
from jobs.lake.commits import Commit
from tests import delta

COLUMNS = StructType([StructField("number", LongType())])


def commit(sequence: int) -> Commit:
    return Commit("it", "1", sequence, "publish", {}, {})


def append(path: str, number: int, sequence: int) -> None:
    delta_tables.append(pa.table({"number": [number]}), path, commit(sequence), {})


def test_a_step_that_was_taken_back_is_written_again(tmp_path: Path) -> None:
    path = f"{tmp_path}/it"
    delta_tables.create(path, COLUMNS, (), "Numbers.")
    append(path, 1, sequence=2)
    id_, before = delta_tables.identity(path)
    append(path, 2, sequence=3)
    append(path, 20, sequence=3)  # it is there: nothing happens
    assert commits.is_written(path, commit(3))
    assert [one["sequence"] for one in commits.metadata_since(path, before)] == [3]
    delta_tables.restore(path, before)
    assert not commits.is_written(path, commit(3))
    assert commits.is_written(path, commit(2))
    assert not [one for one in commits.metadata_since(path, before) if "sequence" in one]
    append(path, 3, sequence=3)
    assert sorted(row["number"] for row in delta.rows(path)) == [1, 3]
    assert commits.check_only_writer(path, id_, before, commit(3)) == before + 3
