"""Rows with a decision as changes: they are only ever added, each under the ledger row of its batch, so the table of
the result is its own feed.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from jobs.answers.delivery import ADDED
from jobs.lake import table_queries
from jobs.publishing.event_difference import NEW
from jobs.publishing.feed import Feed


@dataclass(frozen=True)
class DecidedRows:
    """The rows of one result, batch by batch, as Feed has the changes of an answer."""

    path: str
    ledger: str
    """The path of the ledger, which knows when each batch was closed."""

    def sequences(self, after: int, until: int) -> list[int]:
        """The batches that added rows, later than the ledger row `after` and up to `until`, in order."""
        return Feed(self.path).sequences(after, until)

    def changes(self, sequence: int) -> pa.Table:
        """The rows of a batch that is closed, in the columns that an answer would have in its feed: they are new, with
        revision 1, since the batch was closed.
        """
        rows = table_queries.rows_where(DeltaTable(self.path), f"sequence = {sequence}")
        sql = f"select committed_time from it where sequence = {sequence}"
        [time] = table_queries.query(DeltaTable(self.ledger), sql)["committed_time"].to_pylist()
        times = pa.repeat(pa.scalar(time, pa.timestamp("us", "UTC")), len(rows))
        columns = (pa.array(np.ones(len(rows), np.int32)), times, pa.repeat(NEW, len(rows)))
        for name, column in zip(ADDED, columns, strict=True):
            rows = rows.append_column(name, column)
        return rows
