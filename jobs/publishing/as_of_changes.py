"""What differs among the rows of events and the versions that were valid at their time, between two moments.

The rows of before and of now both follow from events and versions, so the stored rows are not needed.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.answers.stored_queries import StoredQueries
from jobs.facts.kept_events import KEY_HASH, group_hashes
from jobs.lake import table_queries
from jobs.publishing import event_difference
from jobs.publishing.event_difference import CHANGE, NEW, Moment
from jobs.publishing.rule_report_publication import Tally
from jobs.publishing.version_spans import Spans

PART_EVENTS = 1_000_000
"""About how many events are looked at at once."""
_PRIVATE = ["sequence", KEY_HASH]


class Sides(NamedTuple):
    """Versions that events may meet."""

    before: pa.Table
    now: pa.Table


class Moments(NamedTuple):
    """Between which rows are brought up to date."""

    before: Moment
    now: Moment

    @property
    def condition(self) -> str:
        """SQL that holds for kept events that are new, or that complete time has passed."""
        low, high = sorted(moment.complete_micros for moment in self)
        passed = _within(low, high) if low < high else "false"
        return f"(sequence > {self.before.sequence} or {passed})"


def new_and_due(
    answer: AsOfAnswer, events: DeltaTable, versions: Callable[[pa.Table], Sides], moments: Moments, tally: Tally
) -> Iterator[pa.Table]:
    """What differs among the rows of events that are new, or passed by complete time; no part is empty. `versions`:
    those that such events may meet.
    """
    for part in _parts(table_queries.rows_where(events, moments.condition)):
        yield from _changes(answer, part, versions(part), moments, tally)


def restated_rows(
    answer: AsOfAnswer,
    events: DeltaTable,
    versions: Sides,
    spans: Spans,
    moments: Moments,
    tally: Tally,
    begin: Callable[[pa.Table], None] = lambda _: None,
) -> Iterator[pa.Table]:
    """What differs among the rows of other events, for which another version is valid; no part is empty. `versions`:
    those of the changed keys, which are valid in other `spans` than before. `begin` gets the events of these keys in
    the time from the first to the last of the spans, before their rows are computed.
    """
    if not len(spans.begins):
        return
    within = _within(int(spans.begins.min()), int(spans.ends.max()))
    found = table_queries.rows_where(events, f"not {moments.condition} and {within}")
    if answer.by:
        hashes = group_hashes(distinct_rows(spans.keys, answer.versions.key), answer.versions.key)
        found = found.filter(pc.is_in(found[KEY_HASH], hashes))
    begin(found)
    for part in _parts(found):
        yield from _changes(answer, part, versions, moments, tally)


def distinct_rows(rows: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    """The values of these columns, each once, but for those with a null."""
    return rows.group_by(list(columns), use_threads=False).aggregate([]).drop_null()


def _within(first: int, after: int) -> str:
    return f"(event_time >= {table_queries.literal(first)} and event_time < {table_queries.literal(after)})"


def _parts(events: pa.Table) -> Iterator[pa.Table]:
    for first in range(0, len(events), PART_EVENTS):
        yield events.slice(first, PART_EVENTS)


def _changes(
    answer: AsOfAnswer, events: pa.Table, versions: Sides, moments: Moments, tally: Tally
) -> Iterator[pa.Table]:
    """What differs among the rows of these events, with CHANGE, if anything does. Adds to `tally`."""
    before, now = moments
    given = events.drop_columns(_PRIVATE)
    rows, effort = answer.measured_rows(given, versions.now, now.complete_micros, time.perf_counter_ns)
    rows_before = rows.slice(0, 0)
    earlier = events.filter(pc.less_equal(events["sequence"], before.sequence))
    if len(earlier):
        rows_before = answer.rows(earlier.drop_columns(_PRIVATE), versions.before, before.complete_micros)
        changes = event_difference.compare(rows_before, rows, answer.key)
    else:
        changes = rows.append_column(CHANGE, pa.repeat(NEW, len(rows)))
    if isinstance(answer, StoredQueries) and effort is not None:
        tally.add(answer, rows_before, rows, effort)
    if len(changes):
        yield changes
