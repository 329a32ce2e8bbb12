"""Instants as whole microseconds since 1970 UTC, and as SQL writes them."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MICROS = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
"""Where Python's calendar ends, in microseconds since 1970."""


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 of a time with a zone."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The time in UTC. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=micros)


def from_kafka(milliseconds: int) -> datetime:
    """A record timestamp of Kafka's, whose 64 bits reach beyond Python's calendar: the calendar's end stands for what
    lies beyond it.
    """
    return from_micros(min(milliseconds * 1000, LAST_MICROS))


def sql_literal(instant: datetime) -> str:
    """An instant in UTC, from 1970 on, for SQL of Apache DataFusion and for predicates of deltalake's writes.

    With its unit, as they take a plain text for nanoseconds. 64 bits of these end in 2262, and a write would change
    all later instants in the files that it replaces.
    """
    return f"arrow_cast('{instant:%Y-%m-%dT%H:%M:%S.%fZ}', 'Timestamp(Microsecond, Some(\"UTC\"))')"
