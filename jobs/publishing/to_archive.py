"""Changes into a topic of the archive, exactly once: the commit that appends them notes which publish they are of."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from jobs.log.archive import marks, writer
from jobs.log.archive.snapshot import Snapshot
from jobs.publishing import messages
from jobs.running.places import Places


@dataclass(frozen=True)
class ToArchive:
    """Sends the changes of one answer to one topic."""

    places: Places
    topic: str
    table: str
    """Of the answer."""
    key: Sequence[str]
    """Columns of the records' key."""
    feed_id: str
    """Delta's id of the feed."""
    rows_key: Sequence[str]
    """Columns that tell a row of the answer from another."""

    def last_sent(self) -> int:
        """The ledger row of the last publish that the topic has."""
        return Snapshot(self.places.archive, self.topic).refresh().mark(self._mark) or 0

    def send(self, changes: pa.Table, sequence: int) -> None:
        """Append the changes of one publish in one commit. Raises Refused, OSError, DeltaError."""
        records = messages.records(changes, self.key, self.rows_key)
        writer.append(self.places.archive, self.topic, None, [records], once=(self._mark, sequence))

    @property
    def _mark(self) -> str:
        return marks.feed_end(self.topic, self.table, self.feed_id)
