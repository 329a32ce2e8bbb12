"""How the last run of a result ended: a small file in the folder of its ledger, which no reader of Delta looks at.

It is written when a run begins, and written anew when it ends; after kill -9 it still says that the run has begun.
"""

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pyarrow import fs

from jobs.keeping import ledger
from jobs.run import Run
from jobs.running import one_look, storage
from jobs.running.errors import explain
from jobs.running.places import Places

FILE = "_last_run.json"
"""Delta leaves files alone whose names begin with _."""


class RunEnd(StrEnum):
    """How a run ended."""

    DONE = "done"
    """All that was in the log is in the tables; of a continuous run: it was asked to stop, and did."""
    STOPPED = "stopped"
    """It was asked to stop before it had read the log to its end."""
    FAILED = "failed"


@dataclass(frozen=True)
class LastRun:
    """One run of a result."""

    host: str
    process: int
    start_time: datetime
    end_time: datetime | None = None
    """None: it is still running, or was killed."""
    end: RunEnd | None = None
    error: str | None = None
    """Of a run that failed, in one line without values of records."""


@contextmanager
def record(run: Run, name: str) -> Iterator[Callable[[], None]]:
    """Write down that a run of result `name` has begun, and how it ends. Gives what writes the beginning once more, for
    a first run, which has no ledger before.

    It is held while this run alone works on the result. What cannot be written is left out: the run matters more.
    """
    begun = LastRun(socket.gethostname(), os.getpid(), datetime.now(UTC))
    _write(run.places, name, begun)
    try:
        yield lambda: _write(run.places, name, begun)
    except BaseException as error:
        why = explain(error, run.places.kafka) if isinstance(error, Exception) else None
        end = RunEnd.FAILED if why else RunEnd.STOPPED
        _write(run.places, name, replace(begun, end_time=datetime.now(UTC), end=end, error=why))
        raise
    is_early = run.stop.is_obeyed and not run.continuous
    end = RunEnd.STOPPED if is_early else RunEnd.DONE
    _write(run.places, name, replace(begun, end_time=datetime.now(UTC), end=end))


def read(places: Places, name: str) -> LastRun | None:
    """The last run of result `name`; None if none was written down, as by an earlier version, or it cannot be read.
    Within a look it is read once.
    """
    return one_look.recall(("last run", ledger.path(places, name)), lambda: _read(places, name))


def _read(places: Places, name: str) -> LastRun | None:
    system, folder = storage.filesystem(ledger.path(places, name))
    try:
        with system.open_input_stream(f"{folder}/{FILE}") as stream:
            found = json.loads(stream.readall())
        times = {each: _time(found[each]) for each in ("start_time", "end_time")}
        return LastRun(**found | times | {"end": found["end"] and RunEnd(found["end"])})
    except (OSError, ValueError, TypeError, LookupError):
        return None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _write(places: Places, name: str, last: LastRun) -> None:
    """At once, as far as readers can tell. Nothing is written while there is no ledger."""
    with suppress(OSError, ValueError):
        system, folder = storage.filesystem(ledger.path(places, name))
        if system.get_file_info(f"{folder}/_delta_log").type != fs.FileType.Directory:
            return
        text = json.dumps(asdict(last), default=datetime.isoformat).encode()
        is_local = isinstance(system, fs.LocalFileSystem)
        path = f"{folder}/{FILE}"
        with system.open_output_stream(f"{path}.new" if is_local else path) as stream:
            stream.write(text)
        if is_local:  # object storage shows a file when it is whole
            Path(f"{path}.new").replace(path)
