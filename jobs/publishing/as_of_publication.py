"""Rows of events and the versions that were valid at their time are brought up to date.

A publish looks at the events that are new, those that complete time has passed, and those in the spans of time in which
another version is valid than before.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.lake import commits, table_queries
from jobs.publishing import as_of_changes, key_rows, row_writing, version_spans
from jobs.publishing.as_of_changes import Moments, Sides, distinct_rows
from jobs.publishing.event_difference import CHANGE, WITHDRAWN, Moment
from jobs.publishing.rule_report_publication import Tally
from jobs.publishing.version_spans import Spans
from jobs.running.instants import from_micros

MANY_EVENTS = 100_000
"""A publish that may restate the rows of so many events says so before it does: it takes 4 CPU-seconds for each
1,000,000."""


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
    path: str,
    answer: AsOfAnswer,
    source: Source,
    before: Moment,
    now: Moment,
    commit: commits.Commit,
    say: Callable[[str], None],
) -> Written:
    """Bring the table of the answer from one moment to the other, in one commit."""
    events = DeltaTable(source.events[0], version=source.events[1])
    tables = _VersionTables(source, answer)
    tally, moments = Tally(), Moments(before, now)
    found = list(as_of_changes.new_and_due(answer, events, tables.for_events, moments, tally))
    notes = list[str]()
    if source.changes is not None:
        both = tables.with_keys(distinct_rows(source.changes, answer.versions.key))
        before_rows, now_rows = (versions.drop_columns(row_writing.OWN) for versions in both)
        spans = version_spans.spans(before_rows, now_rows, answer.versions)

        def begin(restated: pa.Table) -> None:
            if len(restated) >= MANY_EVENTS:
                say(f"{PurePosixPath(path).name}: {_announcement(restated)}")

        restated = list(as_of_changes.restated_rows(answer, events, both, spans, moments, tally, begin))
        notes += _notes(restated, spans, source.kept_from)
        found += restated
    if not found:
        return Written(None, tuple(notes), tally)
    changes = pa.concat_tables(found)
    written = row_writing.write(path, changes, answer.key, "event_time", commit)
    notes += answer.notes(changes.filter(pc.not_equal(changes[CHANGE], WITHDRAWN)))
    return Written(written, tuple(notes), tally)


def _announcement(events: pa.Table) -> str:
    ends = pc.min_max(events["event_time"]).as_py()
    return (
        f"versions have come that are valid at earlier times: the rows of up to {len(events):,} events from "
        f"{ends['min'].isoformat()} to {ends['max'].isoformat()} are restated"
    )


def _notes(restated: list[pa.Table], spans: Spans, kept_from: int | None) -> Iterator[str]:
    rows = sum(map(len, restated))
    if rows:
        yield f"{rows:,} rows were restated: another version is valid at their time"
    if kept_from is not None and (too_early := int(np.sum(spans.begins < kept_from))):
        since = from_micros(kept_from).isoformat()
        yield f"{too_early:,} versions are valid from before {since}: rows of events before it stay as they are"


class _VersionTables:
    """The versions before and now."""

    def __init__(self, source: Source, answer: AsOfAnswer) -> None:
        self._by, self._key = answer.by, answer.versions.key
        path, version = source.versions
        now = DeltaTable(path)
        self._tables = (now if source.changes is None else DeltaTable(path, version=version), now)

    def for_events(self, events: pa.Table) -> Sides:
        """Those that these events may meet."""
        if self._by:
            return self.with_keys(distinct_rows(events, self._by).rename_columns(self._key))
        return self._read(table_queries.rows)

    def with_keys(self, keys: pa.Table) -> Sides:
        """All of these keys."""
        return self._read(lambda table: key_rows.read(table, keys, self._key))

    def _read(self, read: Callable[[DeltaTable], pa.Table]) -> Sides:
        before, now = self._tables
        found = read(now)
        return Sides(found if before is now else read(before), found)
