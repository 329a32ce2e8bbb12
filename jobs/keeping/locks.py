"""One run at a time on a result: a lock of the operating system, gone when its process is gone, even by kill -9."""

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import SparkSession

from jobs.running import jvm, one_look
from jobs.running.errors import Refused

WAIT_SECONDS = 10.0
"""How long a run waits for the Java process of a killed one, which lives on for a moment, to let go."""


@contextmanager
def exclusive_run(spark: SparkSession, folder: str, name: str) -> Iterator[None]:
    """Hold the lock of result `name` in `folder`. Object storage has no locks: then it is held on this machine, and the
    scheduler must make sure that no other machine runs this result.

    Both processes hold a lock of their own: Python writes the ledger, Java the tables, and either may live on without
    the other. Raises Refused if another run has it.
    """
    with exclusive_change(folder, name) as here:
        release = _take_in_java(spark, str(here / f"{name}.java.lock"), name)
        try:
            yield
        finally:
            release()


@contextmanager
def exclusive_change(folder: str, name: str) -> Iterator[Path]:
    """Hold Python's part of the lock, for what changes result `name` without Java; gives the folder of the locks.
    Raises Refused as `exclusive_run`.
    """
    here = Path(_local_stand_in(folder) if "://" in folder else folder)
    here.mkdir(parents=True, exist_ok=True)
    with (here / f"{name}.lock").open("a+", encoding="utf-8") as file:
        _take(file, name)
        yield here


def _local_stand_in(folder: str) -> str:
    """A folder of this machine that stands for one on object storage."""
    which = hashlib.sha256(folder.rstrip("/").encode()).hexdigest()[:16]
    return f"{tempfile.gettempdir()}/headrace-locks-{os.getuid()}/{which}"


def holder(folder: str, name: str) -> str | None:
    """Which process runs result `name` now, on this machine; None if none does. Within a look it is asked once."""
    return one_look.recall(("holder", folder, name), lambda: _holder(folder, name))


def _holder(folder: str, name: str) -> str | None:
    path = Path(_local_stand_in(folder) if "://" in folder else folder) / f"{name}.lock"
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip() or "a process"
    return None


def _take(file: IO[str], name: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise _already_running(name, file.read().strip()) from None
    file.truncate(0)
    file.write(f"process {os.getpid()}")
    file.flush()


def _take_in_java(spark: SparkSession, path: str, name: str):  # type: ignore[no-untyped-def]
    channel = jvm.file_channel(spark, path)
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if channel.tryLock() is not None:
                return lambda: _close(channel)
        except Py4JJavaError:  # this same Java process holds it
            pass
        if time.monotonic() > until:
            _close(channel)
            raise _already_running(name, "a Java process")
        time.sleep(0.2)


def _close(channel) -> None:  # type: ignore[no-untyped-def]
    with suppress(Py4JError, OSError):  # Java is gone, and with it the lock
        channel.close()


def _already_running(name: str, holder: str) -> Refused:
    return Refused(
        f"{name} is running already ({holder}). Two runs of one result would do the same work twice: "
        "wait for it to end, or stop it."
    )
