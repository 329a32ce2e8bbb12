"""What is wrong with a result, or worth knowing: its ledger, tables, checkpoint and log are compared."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jobs.admin import remedies, run_end, standing
from jobs.admin.database import slot_findings
from jobs.admin.states import Finding, State
from jobs.answers import table_names
from jobs.keeping import checkpoint, ledger, locks, log_position, recovery, table_check
from jobs.keeping.ledger import Position, Row
from jobs.keeping.steps import Kind
from jobs.lake import commits, delta_tables
from jobs.log import home
from jobs.log.kafka.client import Unreachable
from jobs.publishing.results import query
from jobs.running import kafka_tools
from jobs.running.errors import Refused
from jobs.running.places import Places

SOON = timedelta(days=1)
"""A finding if the log deletes unread records within this time."""
LONG = timedelta(minutes=15)
"""Kafka ends a transaction that is open for this long (transaction.max.timeout.ms); an older one hangs."""


Check = Callable[[Places, str, Row], Iterator[Finding]]


def examine(places: Places, name: str) -> list[Finding]:
    """All findings about result `name`; empty if all is well. Runs without Java."""
    try:
        last = ledger.last(places, name)
    except Exception as error:  # deltalake raises many kinds for a damaged table
        path = ledger.path(places, name)
        return [
            Finding(
                True,
                f"the ledger {path} cannot be read ({type(error).__name__})",
                f"bring it back from a backup, or move {places.table(name)}* away: the next run builds all anew",
            )
        ]
    if last is None:
        return [
            *_last_run(places, name, last),
            Finding(False, "it has no rows in its ledger yet", "run its job", State.NEW),
        ]
    holder = locks.holder(places.checkpoints, name)
    if holder:
        return [
            *_run_check(_rows, places, name, last),
            _run_at_work(holder),
        ]
    checks = (
        _rows,
        _tables,
        _last_run,
        _half_done_batch,
        _foreign_commits,
        _checkpoint,
        _old_checkpoints,
        _publication,
        _log,
        _slot,
        _quarantine,
    )
    return [finding for check in checks for finding in _run_check(check, places, name, last)]


def _run_at_work(holder: str) -> Finding:
    what = f"it is running now ({holder}): what a batch leaves half done is not looked at"
    return Finding(False, what, "wait", State.RUNNING)


def _run_check(check: Check, places: Places, name: str, last: Row) -> list[Finding]:
    """The findings of one check; a table that cannot be read is a finding."""
    try:
        return list(check(places, name, last))
    except Unreachable as error:
        return [Finding(True, str(error), "", State.UNKNOWN)]
    except Refused as error:
        return [Finding(True, str(error), "")]
    except Exception as error:
        subject = check.__name__.strip("_").replace("_", " ")
        what = f"{subject} cannot be looked at ({type(error).__name__}): a Delta log or file is damaged"
        return [Finding(True, what, f"bring {places.table(name)}* back from a backup, or move them away and run again")]


def _rows(places: Places, name: str, last: Row) -> Iterator[Finding]:
    """Rows follow one another, and each begins where the one before it ended."""
    columns, table = "sequence, kind, start_offsets, end_offsets, notes", table_names.table(name, "ledger")
    columns += ", further_topics" if last.further_topics else ""  # the ledger of an older version has no such column
    sql = f'select {columns} from "{table}" order by sequence'
    rows = query(places, sql, table).to_pylist(maps_as_pydicts="strict")
    remedy = f"bring the ledger back from a backup, or move {places.table(name)}* away and run again"
    if [row["sequence"] for row in rows] != list(range(1, len(rows) + 1)):
        yield Finding(True, f"the ledger {ledger.path(places, name)} has rows missing or doubled", remedy)
    for before, after in itertools.pairwise(rows):
        if _offsets(after, "start_offsets") != _offsets(before, "end_offsets"):
            what = f"row {after['sequence']} of the ledger does not begin where row {before['sequence']} ended"
            yield Finding(True, what, remedy)
    for row in rows:
        if row["kind"] == Kind.GAP:
            yield Finding(False, f"row {row['sequence']} of the ledger: {'; '.join(row['notes'] or [])}", "")


def _offsets(row: Mapping[str, Any], which: str) -> dict[tuple[str, int], int]:
    """These offsets of a ledger row, by topic and partition; "" stands for the first topic."""
    by_topic = {"": row} | (row.get("further_topics") or {})
    return {
        (topic, partition): offset for topic, position in by_topic.items()
        for partition, offset in (position[which] or {}).items()
    }  # fmt: skip


def _tables(places: Places, name: str, last: Row) -> Iterator[Finding]:
    """Each table is there, the same, and not older than the ledger."""
    for table in last.tables:
        wrong = table_check.mismatch(places, name, table, last)
        if wrong:
            what, _, remedy = wrong.partition(". ")
            yield Finding(True, what, remedy)


def _last_run(places: Places, name: str, last: Row | None) -> Iterator[Finding]:
    """The last run failed, or was killed; a first one may have left no row."""
    if found := run_end.examine(places, name):
        yield found


def _half_done_batch(places: Places, name: str, last: Row) -> Iterator[Finding]:
    """Steps of a batch whose ledger row was never written."""
    steps = [str(commit["step"]) for commit in recovery.uncommitted_steps(places, _with_existing_tables(places, last))]
    if steps:
        what = f"a run stopped in mid-batch: {', '.join(sorted(steps))} written, the ledger row not"
        yield Finding(False, what, "run its job: it finishes the batch or takes it back")


def _with_existing_tables(places: Places, last: Row) -> Row:
    """The row with the tables that exist; `_tables` reports the others."""
    from dataclasses import replace

    return replace(last, tables={name: at for name, at in last.tables.items() if delta_tables.find(places.table(name))})


def _foreign_commits(places: Places, name: str, last: Row) -> Iterator[Finding]:
    """Rows that somebody else wrote or took away."""
    for table in _with_existing_tables(places, last).tables:
        for version, operation in commits.foreign_commits(places.table(table)):
            what = f"somebody else changed rows of {places.table(table)}: {operation}, version {version}"
            remedy = f"the numbers are doubtful: move {places.table(name)}* away and run its job, it builds them anew"
            yield Finding(True, what, remedy)


def _checkpoint(places: Places, name: str, last: Row) -> Iterator[Finding]:
    """The checkpoint is a cache: whatever is wrong with it, the next run goes on from the ledger."""
    folder = checkpoint.folder(places.checkpoints, name, last.generation)
    wrong = checkpoint.disagreement(None, folder, last)
    if wrong:
        yield Finding(False, f"the checkpoint {folder} {wrong}", "nothing: the next run goes on from the ledger")


def _old_checkpoints(places: Places, name: str, last: Row) -> Iterator[Finding]:
    """Checkpoints that earlier runs moved aside."""
    aside = [] if "://" in places.checkpoints else list(Path(places.checkpoints, name).glob("*.aside-*"))
    if aside:
        what = f"{len(aside)} checkpoints that nothing reads any more: {places.checkpoints}/{name}/*.aside-*"
        yield Finding(False, what, "delete them when you like")


def _publication(places: Places, name: str, last: Row) -> Iterator[Finding]:
    if last.is_published:
        return
    if last.definition.get("windows"):
        what = "the windows are behind the panes"
    elif "answers" in last.definition:
        what = "the answers are behind the events"
    else:
        return
    yield Finding(False, what, "run its job: it publishes at its end", State.BEHIND)


def _log(places: Places, name: str, last: Row) -> Iterator[Finding]:
    """It is the topic that was read, and has what was not read yet."""
    for topic, read in last.positions([last.definition.get("topic", ""), *last.further_topics]).items():
        yield from _topic(places, name, topic, read, last.log_home)


def _topic(places: Places, name: str, topic: str, read: Position, log_home: str) -> Iterator[Finding]:
    now = log_position.check_same_topic(places, name, topic, read, log_home)
    lost = log_position.lost_ranges(read.end_offsets, now) if read.end_offsets else []
    if lost:
        yield Finding(True, log_position.loss_message(topic, name, lost), "")
    at = home.retention_deadline(places, topic, read.end_offsets)
    if at is not None and not lost and at < datetime.now(UTC) + SOON:
        what = f"the log deletes records that it has not read, from {at:%Y-%m-%d %H:%M} UTC on"
        command = f": {kafka_tools.set_config(places.kafka, topic, 'retention.ms=-1')}" if places.kafka else ""
        yield Finding(True, what, f"run its job before that, or raise retention.ms of topic {topic}{command}")
    yield from _open_transactions(places, topic)


def _slot(places: Places, name: str, last: Row) -> Iterator[Finding]:
    """The slot by which changes come out of a database, if the places file names that."""
    for topic in (last.definition.get("topic", ""), *last.further_topics):
        for found in slot_findings.examine(places, topic):
            yield Finding(found.wrong, found.what, found.remedy)


def _open_transactions(places: Places, topic: str) -> Iterator[Finding]:
    """Records that nobody can read before a transaction ends."""
    for blocked in home.open_transactions(places, topic):
        begun = f"{blocked.first_time:%Y-%m-%d %H:%M} UTC" if blocked.first_time else "an unknown time"
        what = (
            f"a transaction is open in partition {blocked.partition} of topic {topic} from offset "
            f"{blocked.first_offset} on (a record of {begun}): no job reads further, {blocked.records:,} offsets wait"
        )
        assert places.kafka and blocked.first_offset is not None, "the archive has no transactions"
        command = kafka_tools.abort_transaction(places.kafka, topic, blocked.partition, blocked.first_offset)
        remedy = f"it goes on when the transaction ends; if its producer is gone: {command}"
        yield Finding(blocked.first_time is None or blocked.first_time < datetime.now(UTC) - LONG, what, remedy)


def _quarantine(places: Places, name: str, last: Row) -> Iterator[Finding]:
    if delta_tables.find(places.table(table_names.table(name, "quarantine"))) is None:
        return  # `_tables` reports it
    waiting = [(reason, field, count) for reason, field, count, _ in standing.reasons(places, name) if count]
    if waiting:
        why = ", ".join(f"{count:,} {reason}" for reason, _, count in waiting)
        remedy = remedies.advice(name, last.definition, [(reason, field) for reason, field, _ in waiting])
        records = sum(count for _, _, count in waiting)
        yield Finding(False, f"{records:,} records wait in quarantine ({why})", remedy)
