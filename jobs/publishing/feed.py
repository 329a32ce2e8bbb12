"""The feed of an answer: a row for each row that a publish wrote or withdrew, in a table beside that of the answer.

Its rows in order of `sequence` give the answer's table: new and revised ones take the place of the one of their key,
withdrawn ones remove it. The answer and its feed are written by two commits; if a run ends between them, both are
taken back.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable

from jobs.answers import table_names
from jobs.answers.delivery import CHANGE, FEED
from jobs.answers.result import Result
from jobs.lake import commits, delta_tables, small_files, table_queries
from jobs.publishing import event_difference
from jobs.running.places import Places


def write(
    places: Places, result: Result, changes: Mapping[str, pa.Table | None], begins: bool, commit: commits.Commit
) -> None:
    """Append what a publish has changed, by the name of the answer, each in one commit. `begins`: nothing is in the
    feeds yet, so they begin with all rows that the answers have now.
    """
    commit = replace(commit, step=FEED)
    for answer in result.answer_keys:
        path = places.table(table_names.part(result.name, answer))
        changed = _all_rows(path) if begins else changes.get(answer)
        if changed is not None and len(changed):
            names = [CHANGE if name == event_difference.CHANGE else name for name in changed.column_names]
            path = places.table(result.feed_table(answer))
            delta_tables.append(changed.rename_columns(names), path, commit, {"sequence": commit.sequence})


def _all_rows(path: str) -> pa.Table:
    rows = table_queries.rows(DeltaTable(path))
    return rows.append_column(CHANGE, pa.repeat(event_difference.NEW, len(rows)))


@dataclass(frozen=True)
class Feed:
    """The feed of one answer."""

    path: str

    def sequences(self, after: int, until: int) -> list[int]:
        """The publishes that changed something, later than the ledger row `after` and up to `until`, in order."""
        where = f"sequence > {after} and sequence <= {until}"
        sql = f"select distinct sequence from it where {where} order by sequence"
        found = table_queries.query(DeltaTable(self.path), sql)
        return [int(sequence) for sequence in found["sequence"].to_pylist()]

    def changes(self, sequence: int) -> pa.Table:
        """What this publish has changed."""
        return table_queries.rows_where(DeltaTable(self.path), f"sequence = {sequence}")

    def remove(self, until: int | None, before_time: str) -> None:
        """Remove what is older than this SQL literal of a time, up to the ledger row `until` (None: all), and put small
        files together. In commits of their own, which no recovery takes for a step.
        """
        table = DeltaTable(self.path)
        metadata = {"step": "retain"}
        where = f"updated_time < {before_time}" + ("" if until is None else f" and sequence <= {until}")
        table.delete(where, commit_properties=CommitProperties(custom_metadata={"userMetadata": json.dumps(metadata)}))
        small_files.put_together(table, metadata)
        table.vacuum(dry_run=False)  # files that were removed a week ago
