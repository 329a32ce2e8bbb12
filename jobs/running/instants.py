"""Instants as whole microseconds since 1970 UTC, and as SQL writes them."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970 of a time with a zone."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The time in UTC. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=micros)


def sql_literal(instant: datetime) -> str:
    """An instant in UTC, from 1970 on, as DataFusion and Delta read it beside a column of timestamps."""
    return f"'{instant:%Y-%m-%dT%H:%M:%S.%fZ}'"
