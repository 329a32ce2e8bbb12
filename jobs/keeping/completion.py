"""A person says that time has come: what falls due until then is published as final, whatever the log is waiting for.

Needed where no further record will move stream time: at the end of a test, or of a history. It is in the ledger, not in
the log, so a result that is built anew needs it again.
"""

from datetime import datetime, timedelta

from jobs.answers import windows
from jobs.answers.result import Result
from jobs.keeping import ledger, locks, recovery
from jobs.keeping.ledger import Row
from jobs.keeping.manual_change import ManualChange
from jobs.keeping.steps import Kind
from jobs.publishing import window_column
from jobs.run import Run
from jobs.running import mistakes
from jobs.running.errors import Refused
from jobs.running.instants import EPOCH, from_micros, to_micros


def complete(run: Run, result: Result, until: datetime) -> Row:
    """Set complete time to `until`, and publish; returns the new ledger row. Later batches do not go back behind it.

    One that stops half-way is taken back by the next run. Raises Refused when the result has read nothing or publishes
    nothing, when `until` is not after complete time or after all that can fall due, when the result is running, and
    when the tables are not as they must be; see recovery.resume.
    """
    last = ledger.last(run.places, result.name)
    if last is None:
        raise Refused(
            f"{result.name} has no ledger in {run.places.tables}: nothing can be complete before its first run."
        )
    with mistakes.note_location(result.transform), locks.exclusive_run(run.spark, run.places.checkpoints, result.name):
        result = window_column.as_stored(run.places, result)
        start = recovery.resume(run.spark, run.places, result, finish=False, step=run.step)
        for note in start.notes:
            run.say(f"{result.name}: {note}")
        _check(result, start.last, until)
        change = ManualChange(run, result, start.last)
        row = start.last.next(Kind.COMPLETE, until_time=until, complete_time=until)
        closed = change.close(change.publish_all(row))
        run.say(f"{result.name}: complete to {_text(until)}: what falls due by then is final")
        return closed


def _check(result: Result, last: Row, until: datetime) -> None:
    """Raises Refused if nothing would become final, or if `until` is later than it need be for all to be final."""
    if result.change_answers and not result.as_of_answers:
        raise Refused(f"{result.name} has rows of changes: none of them is final or open.")
    if not result.is_published:
        raise Refused(f"{result.name} keeps a row for each record, and none of them is final or open.")
    latest = _latest_event_time(result, last)
    if latest is None:
        raise Refused(f"{result.name} has read no record yet: nothing falls due.")
    if last.complete_time and until <= last.complete_time:
        raise Refused(f"{result.name} is complete to {_text(last.complete_time)} already: name a later time.")
    due = last_due(result, latest)
    if until > due:
        raise Refused(
            f"{result.name}: the latest event that it has read is of {_text(latest)}, and what follows from it falls "
            f"due at {_text(due)}. A later time would only take away the time that records to come have: "
            f"headrace complete {result.name} --until {_text(due)}"
        )


def _latest_event_time(result: Result, last: Row) -> datetime | None:
    times = [time for read in last.positions(result.topics).values() for time in read.stream_time.values()]
    return max(times, default=None)


def last_due(result: Result, latest: datetime) -> datetime:
    """When the last row falls due that follows from events up to `latest`, in whole seconds, rounded up."""
    micros = to_micros(latest)
    if result.windows:
        return from_micros(windows.last_end(result.windows, micros // 1_000_000) * 1_000_000)
    if result.sessions:
        return EPOCH + timedelta(seconds=-(-(micros + result.sessions.spells.gap_micros) // 1_000_000))
    longest = max((wait for answer in result.event_answers for _, wait in answer.waits), default=0)
    return EPOCH + timedelta(seconds=-(-(micros + longest + 1) // 1_000_000))


def _text(time: datetime) -> str:
    """The time in UTC as it can be typed."""
    text = time.isoformat(timespec="auto" if time.microsecond else "seconds")
    return text.removesuffix("+00:00") + "Z"
