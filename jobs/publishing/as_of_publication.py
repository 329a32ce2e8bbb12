"""Rows of events and the versions that were valid at their time are brought up to date.

A publish looks at the events that are new, those that complete time has passed, and those in the spans of time in which
another version is valid than before. Their rows of before and of now both follow from events and versions, so the
stored rows are not needed: what differs is written.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.as_of_answer import AsOfAnswer
from jobs.answers.stored_queries import StoredQueries
from jobs.facts.kept_events import KEY_HASH, group_hashes
from jobs.lake import commits, table_queries
from jobs.publishing import event_difference, key_rows, row_writing, version_spans
from jobs.publishing.event_difference import CHANGE, NEW, WITHDRAWN, Moment
from jobs.publishing.rule_report_publication import Tally
from jobs.publishing.version_spans import Spans
from jobs.running.instants import from_micros

PART_EVENTS = 1_000_000
"""About how many events are looked at at once."""
_PRIVATE = ["sequence", KEY_HASH]


@dataclass(frozen=True)
class Source:
    """What an answer is made of."""

    events: tuple[str, int]
    """The table of kept events, and its version of Delta's."""
    versions: tuple[str, int]
    """The table of versions, and its version of Delta's before this publish. Now it is at its last one."""
    changes: pa.Table | None
    """What this publish has changed in it."""
    kept_from: int | None = None
    """Earlier events, in microseconds since 1970, may have been removed; None: none has."""


@dataclass(frozen=True)
class Written:
    """What was done."""

    changes: pa.Table | None
    """For a feed."""
    notes: tuple[str, ...] = ()
    """For the ledger."""
    tally: Tally = field(default_factory=Tally)
    """Of rules."""


def update(
    path: str, answer: AsOfAnswer, source: Source, before: Moment, now: Moment, commit: commits.Commit
) -> Written:
    """Bring the table of the answer from one moment to the other, in one commit."""
    events = DeltaTable(source.events[0], version=source.events[1])
    tables = _VersionTables(source, answer)
    low, high = sorted((before.complete_micros, now.complete_micros))
    asked = f"(sequence > {before.sequence} or {_within(low, high) if low < high else 'false'})"
    tally, moments = Tally(), (before, now)
    found, notes = list(_new_and_due(answer, events, tables, asked, moments, tally)), list[str]()
    if source.changes is not None:
        both = tables.with_keys(_distinct_rows(source.changes, answer.versions.key))
        spans = version_spans.spans(*both, answer.versions)
        restated = list(_restated_rows(answer, events, both, spans, asked, moments, tally))
        notes += _notes(restated, spans, source.kept_from)
        found += restated
    if not found:
        return Written(None, tuple(notes), tally)
    changes = pa.concat_tables(found)
    written = row_writing.write(path, changes, answer.key, "event_time", commit)
    notes += answer.notes(changes.filter(pc.not_equal(changes[CHANGE], WITHDRAWN)))
    return Written(written, tuple(notes), tally)


def _notes(restated: list[pa.Table], spans: Spans, kept_from: int | None) -> Iterator[str]:
    rows = sum(map(len, restated))
    if rows:
        yield f"{rows:,} rows were restated: another version is valid at their time"
    if kept_from is not None and (too_early := int(np.sum(spans.begins < kept_from))):
        since = from_micros(kept_from).isoformat()
        yield f"{too_early:,} versions are valid from before {since}: rows of events before it stay as they are"


def _new_and_due(
    answer: AsOfAnswer,
    events: DeltaTable,
    tables: "_VersionTables",
    asked: str,
    moments: tuple[Moment, Moment],
    tally: Tally,
) -> Iterator[pa.Table]:
    """What differs among the rows of events that are new, or passed by complete time; no part is empty."""
    for part in _parts(table_queries.rows_where(events, asked)):
        yield from _changes(answer, part, tables.for_events(part), *moments, tally)


def _restated_rows(
    answer: AsOfAnswer,
    events: DeltaTable,
    both: tuple[pa.Table, pa.Table],
    restated: Spans,
    asked: str,
    moments: tuple[Moment, Moment],
    tally: Tally,
) -> Iterator[pa.Table]:
    """What differs among the rows of other events, for which another version is valid; no part is empty. `both`: the
    versions of the changed keys, before and now.
    """
    if not len(restated.begins):
        return
    within = _within(int(restated.begins.min()), int(restated.ends.max()))
    found = table_queries.rows_where(events, f"not {asked} and {within}")
    if answer.by:
        hashes = group_hashes(_distinct_rows(restated.keys, answer.versions.key), answer.versions.key)
        found = found.filter(pc.is_in(found[KEY_HASH], hashes))
    for part in _parts(found):
        yield from _changes(answer, part, both, *moments, tally)


def _within(first: int, after: int) -> str:
    return f"(event_time >= {table_queries.literal(first)} and event_time < {table_queries.literal(after)})"


def _parts(events: pa.Table) -> Iterator[pa.Table]:
    for first in range(0, len(events), PART_EVENTS):
        yield events.slice(first, PART_EVENTS)


def _distinct_rows(rows: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    return rows.group_by(list(columns), use_threads=False).aggregate([]).drop_null()


class _VersionTables:
    """The versions before and now."""

    def __init__(self, source: Source, answer: AsOfAnswer) -> None:
        self._by, self._key = answer.by, answer.versions.key
        path, version = source.versions
        now = DeltaTable(path)
        self._tables = (now if source.changes is None else DeltaTable(path, version=version), now)

    def for_events(self, events: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Those that these events may meet."""
        if self._by:
            return self.with_keys(_distinct_rows(events, self._by).rename_columns(self._key))
        return self._read(lambda table: table_queries.query(table, "select * from it"))

    def with_keys(self, keys: pa.Table) -> tuple[pa.Table, pa.Table]:
        """All of these keys."""
        return self._read(lambda table: key_rows.read(table, keys, self._key))

    def _read(self, read: Callable[[DeltaTable], pa.Table]) -> tuple[pa.Table, pa.Table]:
        before, now = self._tables
        found = read(now)
        return (found if before is now else read(before)), found


def _changes(
    answer: AsOfAnswer,
    events: pa.Table,
    versions: tuple[pa.Table, pa.Table],
    before: Moment,
    now: Moment,
    tally: Tally,
) -> Iterator[pa.Table]:
    """What differs among the rows of these events, with CHANGE, if anything does. `versions`: before and now. Adds to
    `tally`.
    """
    given = events.drop_columns(_PRIVATE)
    rows, effort = answer.measured_rows(given, versions[1], now.complete_micros, time.perf_counter_ns)
    rows_before = rows.slice(0, 0)
    earlier = events.filter(pc.less_equal(events["sequence"], before.sequence))
    if len(earlier):
        rows_before = answer.rows(earlier.drop_columns(_PRIVATE), versions[0], before.complete_micros)
        changes = event_difference.compare(rows_before, rows, answer.key)
    else:
        changes = rows.append_column(CHANGE, pa.repeat(NEW, len(rows)))
    if isinstance(answer, StoredQueries) and effort is not None:
        tally.add(answer, rows_before, rows, effort)
    if len(changes):
        yield changes
