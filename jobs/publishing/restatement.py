"""What changes that are not published yet would restate, worked out as a publish does it, and not written."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.answers.result import Result
from jobs.publishing import as_of_changes, row_writing, version_publication, version_spans
from jobs.publishing.as_of_changes import Moments, Sides
from jobs.publishing.event_difference import Moment
from jobs.publishing.rule_report_publication import Tally
from jobs.running.places import Places


@dataclass(frozen=True)
class Restatement:
    """Of the rows of one answer."""

    table: str
    rows: int
    keys: int
    """Of versions, how many these rows are of."""
    first_micros: int | None
    """The earliest event time of these rows, microseconds since 1970; None if there are none."""
    last_micros: int | None
    too_early: int
    """Spans of versions that begin before the events that are kept: the rows of these stay as they are."""
    files: int
    """How many files of the table are written anew, at most."""
    file_rows: int
    """How many rows these have."""
    file_bytes: int


@dataclass(frozen=True)
class PublishedState:
    """How far a result is published, by its ledger."""

    versions: Mapping[str, int]
    """Of its tables, by name."""
    moment: Moment
    kept_from: int | None
    """See as_of_publication.Source."""


def forecast(places: Places, result: Result, answer: AsOfAnswer, new: pa.Table, at: PublishedState) -> Restatement:
    """What a publish of `new` changes of the versions, in order of offset, would restate of the table of `answer`."""
    planned = version_publication.plan(places, result, answer.versions, new, at.versions)
    both = Sides(planned.before.versions, planned.now.versions)
    spans = version_spans.spans(both.before, both.now, answer.versions)
    name, events_name = result.answer_table(answer), result.events_table(answer.each)
    events = DeltaTable(places.table(events_name), version=at.versions[events_name])
    moments = Moments(at.moment, at.moment)
    found = list(as_of_changes.restated_rows(answer, events, both, spans, moments, Tally()))
    times, keys = np.empty(0, np.int64), 0
    if found:
        rows = pa.concat_tables(found)
        times = rows["event_time"].cast(pa.int64()).to_numpy()
        keys = len(as_of_changes.distinct_rows(rows, answer.by or answer.versions.key))
    table = DeltaTable(places.table(name), version=at.versions[name])
    files = row_writing.files_to_rewrite(table, "event_time", times)
    return Restatement(
        name,
        rows=len(times),
        keys=keys,
        first_micros=int(times.min()) if len(times) else None,
        last_micros=int(times.max()) if len(times) else None,
        too_early=0 if at.kept_from is None else int(np.sum(spans.begins < at.kept_from)),
        files=len(files),
        file_rows=_sum(files, "num_records"),
        file_bytes=_sum(files, "size_bytes"),
    )


def _sum(files: pa.Table, column: str) -> int:
    return int(pc.sum(files[column]).as_py() or 0) if len(files) else 0
