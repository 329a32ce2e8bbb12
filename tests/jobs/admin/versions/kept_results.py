"""Results whose ledgers and tables a test writes itself, row by row: nothing is read from a log, and no Spark runs."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from pyspark.sql.pandas.types import from_arrow_schema

from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables
from jobs.running.places import Places

LATEST = {"topic": "planes", "panes": "None", "windows": "", "answers": "Latest(key=('id'))"}
"""The definition of a result of latest rows."""


def places_file(places: Places, folder: Path) -> None:
    """Write conf/local.toml below `folder`, which the commands look for."""
    (folder / "conf").mkdir()
    lines = (f'{name} = "{getattr(places, name)}"' for name in ("archive", "tables", "checkpoints"))
    (folder / "conf" / "local.toml").write_text("\n".join(lines))


@dataclass
class KeptResult:
    """A result whose job is the test."""

    places: Places
    name: str
    definition: dict[str, str] = field(default_factory=lambda: dict(LATEST))
    more: dict[str, Any] = field(default_factory=dict)
    """Further fields of its ledger rows."""
    last: Row | None = None

    def publish(self, ends: dict[int, int], kind: str = "batch", **tables: pa.Table) -> "KeptResult":
        """Write these tables, by what follows the name of the result ("_": nothing), and close them at the offsets."""
        known = self.last.tables if self.last else {}
        for part, rows in tables.items():
            name = self.name if part == "_" else f"{self.name}_{part}"
            self.write(self.places.table(name), rows)
            known = known | {name: {}}
        fields = {"end_offsets": ends, "tables": ledger.versions(self.places, known)} | self.more
        if self.last is None:
            ledger.create(self.places, self.name)
            Path(self.places.checkpoints, self.name, "generation-00001").mkdir(parents=True)
            first = Row(1, "start", 1, -1, definition=self.definition, published_sequence=1)
            self.last = ledger.write(self.places, self.name, first)
        row = self.last.next(kind, batch_id=0, **fields)
        self.last = ledger.write(self.places, self.name, replace(row, published_sequence=row.sequence))
        return self

    def read_on(self, ends: dict[int, int]) -> "KeptResult":
        """Close a batch that is not published."""
        assert self.last
        self.last = ledger.write(self.places, self.name, self.last.next("batch", batch_id=0, end_offsets=ends))
        return self

    def write(self, path: str, rows: pa.Table) -> None:
        """Write the table at a path, as a run would."""
        delta_tables.create(path, from_arrow_schema(rows.schema), (), "Written by a test.")
        metadata = CommitProperties(custom_metadata={"userMetadata": json.dumps({"sequence": 1, "step": "publish"})})
        write_deltalake(DeltaTable(path), rows, mode="overwrite", commit_properties=metadata)


def planes(**seats: int | None) -> pa.Table:
    """Latest rows: a plane each, by its id, with its seats."""
    return pa.table(
        {
            "id": pa.array(seats, pa.string()),
            "seats": pa.array(seats.values(), pa.int32()),
            "revision": pa.array([1] * len(seats), pa.int32()),
        }
    )
