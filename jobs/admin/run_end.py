"""How the last run of a result ended, in words, for status and doctor."""

import socket
from datetime import datetime

from jobs.admin.states import Finding
from jobs.keeping import last_run, locks
from jobs.keeping.last_run import LastRun, RunEnd
from jobs.running.places import Places


def text(places: Places, name: str) -> str | None:
    """One line, such as: failed at 2026-11-23 05:10:03 UTC: the disk is full. None if nothing is known of it."""
    last = last_run.read(places, name)
    return None if last is None else _text(places, name, last)


def _text(places: Places, name: str, last: LastRun) -> str:
    if last.end_time is None:
        return _open_text(places, name, last)
    ended = {
        RunEnd.DONE: f"done at {_time(last.end_time)}",
        RunEnd.STOPPED: f"stopped at {_time(last.end_time)}, as it was asked to, before the end of the log",
        RunEnd.FAILED: f"failed at {_time(last.end_time)}: {last.error}",
    }
    return ended[last.end or RunEnd.DONE]


def trouble(places: Places, name: str) -> str | None:
    """The same of a run that failed or was killed; None of one that is at work or ended as it should."""
    last = last_run.read(places, name)
    return None if last is None else _trouble(places, name, last)


def _trouble(places: Places, name: str, last: LastRun) -> str | None:
    if (last.end_time and last.end is not RunEnd.FAILED) or _is_running(places, name, last):
        return None
    return _text(places, name, last)


def examine(places: Places, name: str) -> Finding | None:
    """What `headrace doctor` says of a run that failed or was killed. Killed: the next run goes on by itself."""
    last = last_run.read(places, name)
    words = None if last is None else _trouble(places, name, last)
    if last is None or words is None:
        return None
    has_failed = last.end is RunEnd.FAILED
    remedy = f"{'mend that, and ' if has_failed else ''}run its job: it goes on from the ledger"
    return Finding(has_failed, f"the last run {words}", remedy)


def _open_text(places: Places, name: str, last: LastRun) -> str:
    """Of a run that has begun and not ended."""
    who = f"process {last.process} on {last.host}"
    if _is_running(places, name, last):
        return f"running since {_time(last.start_time)}: {who}"
    began = f"began at {_time(last.start_time)} and did not end: {who} was killed"
    return began if last.host == socket.gethostname() else f"{began}, or is still at work there"


def _is_running(places: Places, name: str, last: LastRun) -> bool:
    return last.end_time is None and locks.holder(places.checkpoints, name) is not None


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
