"""What may have become of a checkpoint or of a table of `small` between two runs."""

import json
import shutil
from pathlib import Path

from deltalake import DeltaTable, Field
from deltalake.schema import PrimitiveType
from pyspark.sql.types import StructType

from jobs.lake import delta_tables


def delete(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint)


def roll_back(checkpoint: Path) -> None:
    """As a backup from before the last batch."""
    for path in [*checkpoint.glob("offsets/*1*"), *checkpoint.glob("commits/*1*")]:
        path.unlink()


def cut_short(checkpoint: Path) -> None:
    last = checkpoint / "offsets" / "1"
    last.write_text(last.read_text()[:-9])
    (checkpoint / "offsets" / ".1.crc").unlink(missing_ok=True)


def empty(checkpoint: Path) -> None:
    (checkpoint / "offsets" / "1").write_text("")
    (checkpoint / "offsets" / ".1.crc").unlink(missing_ok=True)


def of_another_query(checkpoint: Path) -> None:
    last = checkpoint / "offsets" / "1"
    lines = last.read_text().splitlines()
    lines[2] = json.dumps({"0": 1, "1": 1, "2": 1})
    last.write_text("\n".join(lines))
    (checkpoint / "offsets" / ".1.crc").unlink(missing_ok=True)


def without_metadata(checkpoint: Path) -> None:
    (checkpoint / "metadata").unlink()


def gone(path: Path) -> None:
    shutil.rmtree(path)


def replaced(path: Path) -> None:
    old = DeltaTable(path)
    columns = StructType.fromJson(json.loads(old.schema().to_json()))
    shutil.rmtree(path)
    delta_tables.create(str(path), columns, (), "another")


def older(path: Path) -> None:
    """As after a restored backup."""
    newest = max((path / "_delta_log").glob("0*.json"))
    newest.unlink()
    for checksum in (path / "_delta_log").glob(f"*{newest.stem}*crc*"):
        checksum.unlink()


def another_column(path: Path) -> None:
    DeltaTable(path).alter.add_columns([Field("more", PrimitiveType("string"))])
