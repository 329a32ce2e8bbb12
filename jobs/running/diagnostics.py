"""What a program says on standard error while it works: lines with the time in UTC and a level, or JSON.

All go through the logger `headrace` of Python's logging, which has a handler of its own. A program that wants them
elsewhere takes that handler away and adds another. No line has a record's value or a secret.
"""

import json
import logging
import os
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

VARIABLE = "HEADRACE_LOG_FORMAT"
"""The environment variable that says how lines are written: one of FORMATS."""
TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)

_LOGGER = logging.getLogger("headrace")


def is_json() -> bool:
    """Whether lines are to be JSON objects."""
    return os.environ.get(VARIABLE) == JSON


def inform(message: str, **fields: Any) -> None:
    """Say how far the work is. `fields` are further names of the JSON object; those that are None are left out."""
    _LOGGER.info(message, extra={"fields": fields})


def warn(message: str, **fields: Any) -> None:
    """Say what somebody should look at; `fields` as in `inform`."""
    _LOGGER.warning(message, extra={"fields": fields})


def fail(message: str) -> None:
    """Say why the work ends."""
    _LOGGER.error(message)


def complain(message: str) -> None:
    """Say why a command ends that somebody has just typed: without the time, unless JSON is asked for."""
    if is_json():
        fail(message)
    else:
        print(f"headrace: {message}", file=sys.stderr, flush=True)


class _JsonFormatter(logging.Formatter):
    """One line, one object: time, level, message, and the fields of the call."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": moment.replace("+00:00", "Z"), "level": record.levelname, "message": record.getMessage()}
        fields = getattr(record, "fields", {})
        return json.dumps(line | {name: value for name, value in fields.items() if value is not None})


class _StandardError(logging.Handler):
    """Writes to what sys.stderr is at the time of the line, as a bar of progress stands in for it."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%SZ")
        self._lines.converter = time.gmtime
        self._objects = _JsonFormatter()

    def emit(self, record: logging.LogRecord) -> None:
        formatter = self._objects if is_json() else self._lines
        with suppress(OSError, ValueError):  # nobody reads it any more, and the work goes on all the same
            print(formatter.format(record), file=sys.stderr, flush=True)


if not _LOGGER.handlers:
    _LOGGER.addHandler(_StandardError())
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False
