"""Changes into files of NDJSON, one for each publish. A file that is there is complete."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from jobs.publishing import messages
from jobs.running import storage


@dataclass(frozen=True)
class ToFile:
    """Sends the changes of one answer to one folder."""

    path: str
    """The folder."""
    table: str
    """Of the answer."""
    key: Sequence[str]
    """Columns that tell a row of the answer from another."""

    def last_sent(self) -> int:
        """0: files may have been taken away."""
        return 0

    def send(self, changes: pa.Table, sequence: int) -> None:
        """Write the file of one publish, whose name is that of the table and its ledger row. It is written under
        another name first, which begins with a dot. Raises OSError.
        """
        system, folder = storage.filesystem(self.path)
        system.create_dir(folder, recursive=True)
        hidden = f"{folder}/.{self.table}-{sequence:012d}.{uuid.uuid4().hex}"
        with system.open_output_stream(hidden) as out:
            for line in messages.messages(changes, self.table, self.key):
                out.write(line + b"\n")
        system.move(hidden, f"{folder}/{self.table}-{sequence:012d}.ndjson")
