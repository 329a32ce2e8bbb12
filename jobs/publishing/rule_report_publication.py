"""The table of rules is brought up to date with the rows of StoredQueries: changed versions, hits and costs."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql.types import StructType

from jobs.answers import rule_report
from jobs.answers.rule_report import FAULT, HITS, MICROS, TRIED
from jobs.answers.stored_queries import NAMED, StoredQueries
from jobs.answers.versions import VALID_FROM, VALID_TO
from jobs.lake import commits, delta_tables
from jobs.publishing import key_rows
from jobs.publishing.event_difference import CHANGE, WITHDRAWN, places_among


@dataclass
class Tally:
    """What a publish finds out about the rules while it looks at events."""

    hits: list[pa.Table] = field(default_factory=list)
    efforts: list[pa.Table] = field(default_factory=list)

    def add(self, answer: StoredQueries, before: pa.Table, now: pa.Table, effort: pa.Table) -> None:
        """Some events had these rows before, and have these now; `effort`: what that took."""
        named = {name: name for name in answer.rules.key} | NAMED
        self.hits.append(rule_report.added_hits(before, now, named))
        self.efforts.append(effort)


def update(
    path: str, answer: StoredQueries, changed: pa.Table | None, tally: Tally, events: StructType, commit: commits.Commit
) -> tuple[str, ...]:
    """Write what has changed; returns what the ledger says of it. `changed`: versions, with CHANGE; `events`: the
    columns of the events.
    """
    table, row_key = DeltaTable(path), answer.rules.row_key
    names = [column.name for column in table.schema().fields]
    kind = pa.schema(table.schema().to_arrow())
    known = [*row_key, VALID_FROM, VALID_TO]
    gone = kind.empty_table().select(row_key)
    rows = kind.empty_table().select([*known, FAULT])
    if changed is not None:
        is_gone = pc.equal(changed[CHANGE], WITHDRAWN)
        gone, there = changed.filter(is_gone).select(row_key), changed.filter(pc.invert(is_gone))
        rows = there.select(known).append_column(FAULT, answer.faults(there, events)).cast(rows.schema)
    measured = [rule_report.sums(pa.concat_tables(parts), row_key) for parts in (tally.hits, tally.efforts) if parts]
    keys = pa.concat_tables([part.select(row_key).cast(gone.schema) for part in (rows, gone, *measured)])
    if not len(keys):
        return ()
    stored = key_rows.read(table, keys, row_key)
    others = stored.filter(
        pa.array((places_among(stored, rows, row_key) < 0) & (places_among(stored, gone, row_key) < 0))
    )
    rows = pa.concat_tables([rows, others.select(rows.column_names)])
    for name in (HITS, TRIED, MICROS):
        rows = rows.append_column(name, pa.array(_numbers(rows, name, stored, measured, row_key)))
    removed = stored.filter(pa.array(places_among(stored, gone, row_key) >= 0))
    delta_tables.merge_rows(rows.select(names), removed, path, row_key, commit)
    return _notes(rows, changed, measured)


def _numbers(
    rows: pa.Table, name: str, stored: pa.Table, measured: list[pa.Table], row_key: tuple[str, ...]
) -> np.ndarray:
    """The numbers of these versions in a column: as stored, with what was measured added; of MICROS the last ones."""
    numbers = _found(rows, name, stored, row_key)
    for part in measured:
        if name in part.column_names:
            new = _found(rows, name, part, row_key)
            numbers = np.where(new > 0, new, numbers) if name == MICROS else numbers + new
    return numbers


def _found(rows: pa.Table, name: str, source: pa.Table, row_key: tuple[str, ...]) -> np.ndarray:
    """The number that `source` has of each version; 0 if it has none."""
    numbers = pc.fill_null(source[name], 0).to_numpy()
    found: np.ndarray = np.append(numbers, np.zeros(1, numbers.dtype))[places_among(rows, source, row_key)]
    return found


def _notes(rows: pa.Table, changed: pa.Table | None, measured: list[pa.Table]) -> tuple[str, ...]:
    notes = []
    bad = pc.sum(pc.is_valid(rows[FAULT].slice(0, 0 if changed is None else len(changed)))).as_py() or 0
    slow = sum(rule_report.slow_rules(part) for part in measured if MICROS in part.column_names)
    for count, what in ((bad, "cannot be used"), (slow, "cost more than 100 microseconds an event")):
        if count:
            notes.append(f"{count:,} versions of rules {what}: `headrace rules` names them")
    return tuple(notes)
