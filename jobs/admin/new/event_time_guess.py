"""Which field says when an event happened, and how the schema file has to say it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql.types import DateType, DoubleType, LongType, StringType, TimestampType

from jobs.admin.new import time_guess
from jobs.admin.new.record_fields import Field
from jobs.events.event_time import UNITS
from jobs.running.errors import Refused

_LIKELY = re.compile(r"(event|occurr|happen|start|began|begin|^time$|^timestamp$|^ts$|^at$|time_?stamp|measured|taken)")
_UNLIKELY = re.compile(r"(^|_)(end|updat|modif|receiv|process|ingest|load|expir|due|birth|until|deliver|arriv)")
_TIME_LIKE = re.compile(r"(time|date|stamp|epoch|millis|(^|_)(ts|at|ms|when)$)")
_UTC = "UTC (ZONE in the schema file)"


@dataclass(frozen=True)
class EventTimeGuess:
    """The field, and what the schema file says of it."""

    field: Field | None
    """None: the record's own timestamp."""
    unit: str | None
    """EVENT_TIME_UNIT, for a number."""
    has_zone: bool
    """Whether each value says its zone; a number needs none."""
    words: str
    """What its values look like."""
    odd: int = 0
    """How many values are no such time."""

    @property
    def name(self) -> str | None:
        """What EVENT_TIME says."""
        return self.field.name if self.field else None

    @property
    def is_date(self) -> bool:
        """Whether it says the day alone."""
        return self.field is not None and isinstance(self.field.kind, DateType)


def choose(fields: Sequence[Field], named: str | None) -> EventTimeGuess:
    """The event time: the field `named`, or the one that looks most like it, or the record's own timestamp. Raises
    Refused if there is no such field, or it is no time.
    """
    plain = [each for field in fields for each in field.plain]
    if named is not None:
        for field in plain:
            if field.name == named:
                if guess := _of_field(field, is_named=True):
                    return guess
                raise Refused(
                    f"--time {named}: its values are no times that headrace reads; docs/topics.md says which."
                )
        raise Refused(f"--time {named}: the records have no such field; they have {', '.join(f.name for f in plain)}.")
    guesses = [(_rank(field), guess) for field in plain if (guess := _of_field(field, is_named=False))]
    if not guesses:
        return EventTimeGuess(None, None, True, "no field looks like a time")
    return min(guesses, key=lambda each: each[0])[1]


def _rank(field: Field) -> tuple[bool, int, bool, int]:
    """The least is the best: always there, a likely name, with a time of day, not within an object."""
    name = field.path[-1].lower()
    likeliness = 2 if _UNLIKELY.search(name) else 0 if _LIKELY.search(name) else 1
    return field.nullable, likeliness, isinstance(field.kind, DateType), len(field.path)


def _of_field(field: Field, is_named: bool) -> EventTimeGuess | None:
    if isinstance(field.kind, TimestampType):
        has_zone = time_guess.have_zones(field.values)
        words = "its texts are times with a zone" if has_zone else f"its texts are times without a zone, read as {_UTC}"
        return EventTimeGuess(field, None, has_zone, words, field.odd)
    if isinstance(field.kind, DateType):
        return EventTimeGuess(field, None, False, f"its texts are dates, each taken for its first moment in {_UTC}")
    values = field.values
    if is_named and isinstance(field.kind, StringType):
        if not values or not all(value.isascii() and value.isdigit() for value in values):
            return None
        values = [int(value) for value in values]
    elif not isinstance(field.kind, (LongType, DoubleType)):
        return None
    unit = time_guess.unit(values)
    if unit is None or (unit == next(iter(UNITS)) and not is_named and not _TIME_LIKE.search(field.path[-1].lower())):
        return None  # a number of ten digits may well be something else
    odd = sum(not time_guess.is_in_unit(value, unit) for value in values)
    but = f", but for {odd:,} of {len(values):,}" if odd else ""
    return EventTimeGuess(field, unit, True, f"its numbers look like {unit} since 1970{but}", field.odd + odd)
