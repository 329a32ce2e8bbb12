"""The table of rules is brought up to date with the rows of StoredQueries: changed versions, hits and costs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyspark.sql.types import StructType

from jobs.answers.changes.change_order import NULLABLE
from jobs.answers.rules import rule_report
from jobs.answers.rules.rule_report import FAULT, HITS, MICROS, TRIED
from jobs.answers.rules.rule_set import SLOW_MICROS
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.versions import VALID_FROM, VALID_TO
from jobs.lake import commits, delta_tables
from jobs.publishing import key_rows
from jobs.publishing.event_difference import CHANGE, NEW, WITHDRAWN, places_among


@dataclass
class Tally:
    """What a publish finds out about the rules while it looks at events."""

    hits: list[pa.Table] = field(default_factory=list)
    efforts: list[pa.Table] = field(default_factory=list)

    def add(self, answer: StoredQueries, before: pa.Table, now: pa.Table, effort: pa.Table) -> None:
        """Some events had these rows before, and have these now; `effort`: what that took."""
        named = {name: name for name in answer.rules.key} | answer.named_by
        self.hits.append(rule_report.added_hits(before, now, named))
        self.efforts.append(effort)


@dataclass(frozen=True)
class Report:
    """The table of rules of an answer."""

    path: str
    answer: StoredQueries
    events: StructType
    """The columns of the events."""

    def update(self, changed: pa.Table | None, tally: Tally, commit: commits.Commit) -> tuple[str, ...]:
        """Write what has changed; returns what the ledger says of it. `changed`: versions, with CHANGE."""
        table, row_key = DeltaTable(self.path), self.answer.rules.row_key
        kind = pa.schema(table.schema().to_arrow())
        rows, gone = self._changed_rows(changed, kind)
        measured = [
            rule_report.sums(pa.concat_tables(parts), row_key) for parts in (tally.hits, tally.efforts) if parts
        ]
        keys = pa.concat_tables([part.select(row_key).cast(gone.schema) for part in (rows, gone, *measured)])
        if not len(keys):
            return ()
        stored = key_rows.read(table, keys, self.answer.rules.key)
        is_gone = places_among(stored, gone, row_key) >= 0
        others = stored.filter(pa.array(~is_gone & (places_among(stored, rows, row_key) < 0)))
        rows = pa.concat_tables([rows, others.select(rows.column_names)])
        for name in (HITS, TRIED, MICROS):
            rows = rows.append_column(name, pa.array(_numbers(rows, name, stored, measured, row_key)))
        delta_tables.merge_rows(rows, stored.filter(pa.array(is_gone)), self.path, row_key, commit, NULLABLE)
        return tuple(_notes(self._new_faults(changed), measured))

    def _new_faults(self, changed: pa.Table | None) -> int:
        """How many versions are new and cannot be used."""
        if changed is None:
            return 0
        new = changed.filter(pc.equal(changed[CHANGE], NEW))
        return len(new) - int(self.answer.faults(new, self.events).null_count)

    def _changed_rows(self, changed: pa.Table | None, kind: pa.Schema) -> tuple[pa.Table, pa.Table]:
        """The rows of versions that are new or have another interval, without their numbers; keys of those that are no
        more.
        """
        row_key = self.answer.rules.row_key
        known = [*row_key, VALID_FROM, VALID_TO]
        rows, gone = kind.empty_table().select([*known, FAULT]), kind.empty_table().select(row_key)
        if changed is None:
            return rows, gone
        is_gone = pc.equal(changed[CHANGE], WITHDRAWN)
        there = changed.filter(pc.invert(is_gone))
        faults = self.answer.faults(there, self.events)
        rows = there.select(known).append_column(FAULT, faults).cast(rows.schema)
        return rows, changed.filter(is_gone).select(row_key).cast(gone.schema)


def _numbers(
    rows: pa.Table, name: str, stored: pa.Table, measured: list[pa.Table], row_key: tuple[str, ...]
) -> np.ndarray:
    """The numbers of these versions in a column: as stored, with what was measured added; of MICROS the last ones."""
    numbers = _numbers_in(rows, name, stored, row_key)
    for part in measured:
        if name in part.column_names:
            new = _numbers_in(rows, name, part, row_key)
            numbers = np.where(new > 0, new, numbers) if name == MICROS else numbers + new
    return numbers


def _numbers_in(rows: pa.Table, name: str, source: pa.Table, row_key: tuple[str, ...]) -> np.ndarray:
    """The number that `source` has of each version; 0 if it has none."""
    numbers = pc.fill_null(source[name], 0).to_numpy()
    found: np.ndarray = np.append(numbers, np.zeros(1, numbers.dtype))[places_among(rows, source, row_key)]
    return found


def _notes(faults: int, measured: list[pa.Table]) -> Iterator[str]:
    slow = sum(rule_report.slow_rules(part) for part in measured if MICROS in part.column_names)
    for count, what in ((faults, "cannot be used"), (slow, f"cost more than {SLOW_MICROS:.0f} microseconds an event")):
        if count:
            yield f"{count:,} versions of rules {what}: `headrace rules` names them"
