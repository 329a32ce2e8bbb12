"""What goes wrong in a run, as one line for the person who started it."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jobs.running.kafka_access import Kafka

from jobs.running import diagnostics, memory_faults, mistakes, python_errors, spark_errors

_KNOWN = (
    ("No space left on device", "the disk is full. Make room and run again: it goes on where the tables stand"),
    ("File too large", "the system allows no larger file. Raise the limit (ulimit -f) and run again"),
    ("Permission denied", "permission denied. Give this user the right to write there and run again"),
    ("AccessControlException", "permission denied. Give this user the right to write there and run again"),
    ("Read-only file system", "the file system is read-only. Mount it for writing and run again"),
    (
        "BindException",
        "a port is in use. Stop the other process or give Spark another (spark.driver.port, spark.ui.port)",
    ),
    (
        "UNRESOLVED DEPENDENCIES",
        "Spark's jars could not be fetched. Check the network, or install them with `make setup`",
    ),
    (
        "Failed to find data source: delta",
        "Spark has no Delta jars: start it with --properties-file conf/spark-local.conf",
    ),
    (
        "OutOfMemoryError",
        "Java ran out of memory. Raise spark.driver.memory, or lower max_records_per_batch in the job",
    ),
)
_KNOWN_WITHOUT_PATH = (
    (
        "No module named 'jobs'",
        "the executors have not got the project: build the zip with `make zip`, give --py-files dist/headrace.zip",
    ),
    *(
        (
            sign,
            "a Python process of Spark's did not answer in time: this machine is too busy. Run again: it goes on where "
            "the tables stand. If that does not help, PYSPARK_PYTHON names a Python that cannot start",
        )
        for sign in ("Python worker to connect back", "Python worker failed to connect back", "CANNOT_OPEN_SOCKET")
    ),
    (
        "no longer has the offsets",
        "retention took records of the topic before they were read. Run again: the next run says which",
    ),
    (
        "GroupAuthorizationException",
        "the broker does not let this user read under the result's name: an ACL is missing, READ on the groups that "
        "begin with it",
    ),
    ("TopicAuthorizationException", "the broker does not let this user read the topic: an ACL is missing"),
    ("SaslAuthenticationException", "the broker does not let this user in: mend [kafka] in the places file"),
    ("SslAuthenticationException", "no TLS with the broker: mend authorities of [kafka] in the places file"),
    (
        "KAFKA_DATA_LOSS",
        "the topic has lost records while they were read, or was deleted. Run again: the next run says which",
    ),
    (
        "org.apache.kafka.common.errors.TimeoutException",
        "the broker does not answer. Is it running? Run again: it goes on where the tables stand",
    ),
)
_BEYOND_THE_CALENDAR = (
    "KAFKA_MALFORMED_RECORD_TIMESTAMP",
    "overflows when converting to Spark's microsecond",
    "BeyondCalendar: topic",
)


class Refused(Exception):
    """Something that a person can fix; the message says what is wrong, where, and what to do. Never a stack trace."""


class BeyondCalendar(RuntimeError):
    """A record has a timestamp that no table can have; the message is where: topic T partition P offset O."""


class Mistake(Refused, ValueError):
    """Something that the author of a job file or a schema file can fix; the message says what, and what to do."""


@contextmanager
def one_line_errors(kafka: "Kafka | None" = None, say: Callable[[str], None] = diagnostics.complain) -> Iterator[None]:
    """Turn what went wrong into one line on standard error and exit code 1, by `say`; `kafka` as in `explain`."""
    try:
        yield
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)
    except Exception as error:
        say(explain(error, kafka))
        if os.environ.get("HEADRACE_DEBUG") and (isinstance(error, Mistake) or not isinstance(error, Refused)):
            raise
        sys.exit(1)


def explain(error: BaseException, kafka: "Kafka | None" = None) -> str:
    """One line that says what went wrong and what to do; never the value of a record. With `kafka`, the broker that was
    read, commands for the broker are complete.
    """
    message = _refusal(error) or _absurd_timestamp(error, kafka) or _transform_fault(error)
    message = message or memory_faults.memory_fault(error) or _system_fault(error)
    message = message or _engine_message(error) or _python_fault(error) or _unknown(error)
    return " ".join(message.split())


def _refusal(error: BaseException) -> str | None:
    """The message of the project's own checks."""
    if isinstance(error, Mistake):
        return _at(mistakes.place(error), str(error))
    if isinstance(error, Refused):
        return str(error)
    return spark_errors.refusal_of_worker(spark_errors.conditions(error))


def _engine_message(error: BaseException) -> str | None:
    """The message of an error that a line of the engine has raised."""
    return str(error) if mistakes.is_the_engines_own(error) else None


def _transform_fault(error: BaseException) -> str | None:
    """Spark's complaint about a transform, or about a record on which it fails."""
    conditions, records = spark_errors.conditions(error), mistakes.records_of(error)
    if failed := spark_errors.udf_fault(conditions, records):
        return _at(*failed)
    fault = None if spark_errors.is_plan_error(error) else spark_errors.data_fault(conditions, records)
    fault = fault or spark_errors.plan_fault(conditions, _at_work(error) is not None)
    return _at(mistakes.place(error), fault) if fault else None


def _python_fault(error: BaseException) -> str | None:
    """What is wrong with the author's line that was at work."""
    place = _at_work(error)
    if place is None or spark_errors.java_exception(error) is not None:
        return None
    message = python_errors.safe_message(error)
    return _at(place, message or f"{type(error).__name__}. Set HEADRACE_DEBUG=1 for the whole story.")


def _at_work(error: BaseException) -> mistakes.Place | None:
    known = mistakes.location_of(error)
    return known.running if known else mistakes.at_work(error.__traceback__)


def _at(place: mistakes.Place | None, message: str) -> str:
    return f"{place}: {message}" if place else message


def _system_fault(error: BaseException) -> str | None:
    """What is wrong with the machine, the broker or the storage."""
    text = "\n".join(_causes(error))
    for sign, message in _KNOWN_WITHOUT_PATH:
        if sign in text:
            where = re.search(r"topic (\S+) partition (\d+) offset (\d+)", text)
            return f"{message}." + (f" It is at {where[0]}." if where else "")
    path = re.search(r"(?:file:)?(/[^\s:'\")]+)", text)
    for sign, message in _KNOWN:
        if sign in text:
            return f"{message} ({path[1]})." if path and "port" not in message else f"{message}."
    return None


def _absurd_timestamp(error: BaseException, kafka: "Kafka | None") -> str | None:
    """What stops Spark's reader of Kafka for good."""
    from jobs.running import kafka_tools

    text = "\n".join(_causes(error))
    if not isinstance(error, BeyondCalendar) and not any(sign in text for sign in _BEYOND_THE_CALENDAR):
        return None
    at = re.search(r"topic (\S+) partition (\d+) offset (\d+)", text)
    command = f" The first two: {kafka_tools.skip_record(kafka, at[1], int(at[2]), int(at[3]))}" if at and kafka else ""
    where = f" It is at {at[0]}." if at else ""
    return (
        f"a record of the topic has a timestamp beyond the calendar, and Spark reads no further.{where} Bound the "
        "topic's message.timestamp.after.max.ms, delete the records up to it, and run once with --accept-loss."
        f"{command}"
    )


def _unknown(error: BaseException) -> str:
    """The names of what went wrong: a message may hold a value."""
    texts = _causes(error)
    named = [re.match(r"(?:[\w.$]+: )?\[([A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*)\]", text) for text in texts]
    classes = [re.match(r"[\w.$]+(?=:|$)", text) for text in texts[1:]]
    conditions = [condition.name for condition in spark_errors.conditions(error)]
    conditions += [match[1] for match in named if match]
    name = (conditions + [match[0] for match in classes if match] + [""])[0]
    what = f"{type(error).__name__}{' ' if name else ''}{name}"
    if message := python_errors.safe_message(error):
        place = mistakes.place(error)
        what += f": {message}" + (f", from {place}" if place else "")
    return f"the run failed: {what}. Set HEADRACE_DEBUG=1 for the whole story."


def _causes(error: BaseException) -> list[str]:
    """The text of the error, and those of its causes in Java."""
    texts, cause = [str(error)], spark_errors.java_exception(error)
    for _ in range(20):
        if cause is None:
            break
        texts.append(str(cause.toString()))
        cause = cause.getCause()
    return texts
