"""Removes what a result that runs for weeks would leave behind: small files of its ledger, late records and spells,
replaced state of its decision, and kept events that no answer needs any more.

These tables are headrace's own. Panes, windows and rows are for readers: whoever runs the lakehouse optimises and
vacuums those.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from deltalake import CommitProperties, DeltaTable

from jobs.answers.result import Result
from jobs.answers.table_names import TableKind
from jobs.keeping.steps import Step
from jobs.lake import small_files
from jobs.running.instants import EPOCH, sql_literal
from jobs.running.places import Places

EVERY_ROWS = 200
"""Rows of the ledger from one time to the next."""
REPLACED_FILES_HOURS = 1
"""How long a file stays after it was replaced. Each batch replaces filters: at two batches a second that is gigabytes
within the hour. No reader needs a file longer: a batch begins with the filters of the last ledger row, which were not
replaced by a batch that is closed.
"""
SETTINGS = {
    "delta.deletedFileRetentionDuration": f"interval {REPLACED_FILES_HOURS} hours",
    "delta.logRetentionDuration": "interval 1 days",
}
"""Delta's table properties of both tables: how long its checkpoints name replaced files, and how long the older files
of its log stay."""


def is_due(before: int, now: int) -> bool:
    """Whether a number of ledger rows, which was `before` and is `now`, has passed a multiple of EVERY_ROWS."""
    return now // EVERY_ROWS > before // EVERY_ROWS


def compact(places: Places, result: Result) -> None:
    """Put small files together, and remove files that were replaced a while ago."""
    names = [result.table(kind) for kind in _tables_with_appends(result)]
    events = [result.events_table(topic) for topic in result.topics] if result.keeps_events else []
    for name in (*names, *events):
        small_files.put_together(DeltaTable(places.table(name)))
    own: tuple[TableKind, ...] = ("ledger", result.decision.kind) if result.decision else ("ledger",)
    own += ("calendar_days",) if result.day_zones else ()
    for name in [*map(result.table, own), *events]:
        table = DeltaTable(places.table(name))
        # full: the log no longer names files that were replaced long before
        table.vacuum(REPLACED_FILES_HOURS, dry_run=False, enforce_retention_duration=False, full=True)


def _tables_with_appends(result: Result) -> Iterator[TableKind]:
    """The tables to which batches append, and which are not for readers alone."""
    yield from ("ledger", "stragglers")
    if result.sessions:
        yield "spells"
    if result.clocks:
        yield "clocks"


def expired_stream_time(
    result: Result, expired: datetime | None, least_stream_time: datetime | None
) -> datetime | None:
    """The stream time by which `expire` may remove events after a publish: the least of all partitions, up to which
    everything is published, or what it was at an earlier removal, as it goes back with the first record of a partition.
    The ledger says it before anything is removed. None if nothing is to be removed.
    """
    times = [time for time in (expired, least_stream_time) if time]
    return max(times, default=None) if result.event_answers or result.as_of_answers else None


def expire(places: Places, result: Result, stream_time: datetime | None) -> None:
    """Remove the kept events that no answer needs any more at this `expired_stream_time`."""
    if not stream_time:
        return
    before = stream_time - timedelta(seconds=kept_seconds(result))
    if before > EPOCH:
        topics = [reads.topic.TOPIC for reads in result.all_reads if not reads.form]
        _remove(places, result, topics, f"event_time < {sql_literal(before)}")


def remove_published(places: Places, result: Result, settled_sequence: int) -> None:
    """Remove the changes that are in the answers of them: those up to this ledger row."""
    topics = [reads.topic.TOPIC for reads in result.all_reads if reads.form]
    _remove(places, result, topics, f"sequence <= {settled_sequence}")


def _remove(places: Places, result: Result, topics: Iterable[str], where: str) -> None:
    """Remove kept events of these topics for which this SQL holds."""
    # No sequence: recovery and the ledger look at commits of batches, and no batch needs these events.
    metadata = CommitProperties(custom_metadata={"userMetadata": json.dumps({"step": Step.EXPIRE})})
    for topic in topics:
        DeltaTable(places.table(result.events_table(topic))).delete(where, commit_properties=metadata)


def kept_seconds(result: Result) -> int:
    """How far behind stream time an event is kept: a record that is just not too late may be so late. Its answers reach
    back from it, as do rows that fall due a while after it. If it is the first of its partition, complete time goes
    back to it, less what is allowed, and what falls due from there on is decided once more.
    """
    reading = next(reading for reading in result.readings if not reading.topic_form)
    rule = reading.lateness_rule
    assert rule.kept_seconds is not None
    kept = rule.kept_seconds + rule.allowed_seconds
    reach = _reach(result)
    longest = max((wait for answer in result.event_answers for _, wait in answer.waits), default=0)
    return kept + -(-(2 * reach + longest) // 1_000_000) + 1


def _reach(result: Result) -> int:
    """How far around an event its answers reach, in microseconds; a row of an event and a version, nowhere."""
    return max((sum(answer.reach) for answer in result.event_answers), default=0)


def correctable_from(result: Result, stream_time: datetime | None) -> datetime | None:
    """The earliest event time of an event whose answers can be corrected: the events beside an earlier one may have
    been removed. None if every event's can. `stream_time`: see expired_stream_time.
    """
    if not stream_time:
        return None
    reach = _reach(result)
    return stream_time - timedelta(seconds=kept_seconds(result)) + timedelta(microseconds=reach)
