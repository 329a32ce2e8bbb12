"""The stored state of a result's decision: read as the ledger knows it, and changed by each batch in one commit."""

import pyarrow as pa

from jobs.answers.result import Result
from jobs.keeping.ledger import Row
from jobs.lake import commits, delta_tables, table_queries
from jobs.running.places import Places


class StateTable:
    """The table of one result, for one batch after the other."""

    def __init__(self, places: Places, result: Result) -> None:
        assert result.decision
        self._decision, self._name = result.decision, result.table(result.decision.kind)
        self._path = places.table(self._name)
        self._rows: pa.Table | None = None
        self._version = -1
        """Of the table, when it held these rows."""

    def read(self, last: Row) -> pa.Table:
        """The state as ledger row `last` knows it. There may be a newer one, of a batch that was not closed."""
        version = last.tables[self._name]["version"]
        if self._rows is None or self._version != version:
            self._rows, self._version = table_queries.read(self._path, version), version
        return self._rows

    def write(self, changed: pa.Table, commit: commits.Commit) -> None:
        """Write what the batch changes that has `read` the state last; at least one row. A step that is there already
        is not written again.
        """
        assert self._rows is not None
        before, self._rows = self._rows, None
        changed = changed.append_column("sequence", pa.repeat(pa.scalar(commit.sequence, pa.int64()), len(changed)))
        rows, where = self._decision.replacement(before, changed)
        if where is None:
            delta_tables.append(rows, self._path, commit, {})
            rows = rows.select(before.column_names).cast(before.schema)
            self._rows = pa.concat_tables([before, rows]).combine_chunks()
            self._version = delta_tables.identity(self._path)[1]
        else:
            delta_tables.replace(rows, self._path, where, commit)
