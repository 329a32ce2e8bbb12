"""When an event happened: how the topic writes it, and the same instant for Spark, Arrow and Python.

Instants out of range become -1 (before 1970) or LIMIT_MICROS (from the year 9999 on), so that nothing overflows.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    StructType,
    TimestampType,
)

from jobs.events import local_times
from jobs.events.topic_schema import location
from jobs.running import durations, instants
from jobs.running.errors import Mistake

MAX_AHEAD = "1 day"
"""An event time may be this far after the record's own timestamp, as clocks differ and some events are schedules. A
schema file may say another time, or MAX_AHEAD = None where the timestamps of the topic's records are not to be trusted:
then they bound nothing."""
RECORD_TIMESTAMP = "record_timestamp"
"""What EVENT_TIME = None names: the record's own timestamp, which its producer or the broker has set."""
ZONE = "UTC"
"""The zone of times and dates that are written without one; a schema file may name another."""
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
"""Units per second, by EVENT_TIME_UNIT of a schema file: for an event time that is a number since 1970."""
BIGINT_UNIT = "milliseconds"
"""Unit of a bigint, if the schema file does not say another."""
LIMIT_MICROS = 253_370_764_800_000_000
"""9999-01-01: from there on a window's end has no place in a calendar."""
_WHOLE = (ByteType, ShortType, IntegerType, LongType)
_DIGITS = r"^-?\d{1,19}(\.\d{1,9})?$"
_TEXT = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?\s?(Z|[+-]\d\d:?\d\d)?)?$"
_ZONED = r"(Z|[+-]\d\d:?\d\d)$"


@dataclass(frozen=True)
class EventTime:
    """How a topic writes the time of an event."""

    path: tuple[str, ...]
    """The column, and the fields that lead inside it."""
    kind: DataType
    unit: str | None
    """Unit of a number or of a text of digits; None for a time or a date."""
    zone: str
    max_ahead_seconds: int | None
    is_of_record: bool = False
    """Whether it is the record's own timestamp, and stands in no column."""

    @property
    def name(self) -> str:
        """The column as the schema file names it: dots lead inside it."""
        return ".".join(self.path)

    @property
    def is_quick(self) -> bool:
        """Whether `arrow` can compute it; else the gate does, for each record."""
        return not isinstance(self.kind, DecimalType)

    def micros(self, column: Column) -> Column:
        """Microseconds since 1970 of a column of Spark; null for a text that is no time."""
        if self.unit is None:
            micros = F.unix_micros(self._moment(column))
            return F.when(micros < 0, -1).when(micros >= LIMIT_MICROS, LIMIT_MICROS).otherwise(micros)
        if isinstance(self.kind, StringType):
            column = F.when(F.rlike(column, F.lit(_DIGITS)), column.try_cast("decimal(28,9)"))
        inside, late = self._of_number(column).cast("bigint"), column >= F.lit(Decimal(_limit(self.unit)))
        return F.when(column < 0, -1).when(late, LIMIT_MICROS).when(column.isNotNull(), inside)

    def _of_number(self, number: Column) -> Column:
        """Microseconds of a number in range. Fractions of a microsecond are cut off; of a double, rounded."""
        assert self.unit
        times, by = 10**6 // UNITS[self.unit], UNITS[self.unit] // 10**6
        if isinstance(self.kind, DoubleType):
            return F.rint(number * F.lit(float(times)) if times else number / F.lit(float(by)))
        if isinstance(self.kind, _WHOLE):
            whole = number.cast("bigint")
            return whole * F.lit(times) if times else F.call_function("div", whole, F.lit(by))
        return F.floor(number * F.lit(times) if times else number / F.lit(by))

    def _moment(self, column: Column) -> Column:
        if isinstance(self.kind, TimestampType):
            return column  # the gate reads those without a zone in ZONE
        if isinstance(self.kind, DateType):
            return F.to_utc_timestamp(column.cast("timestamp"), self.zone)
        text = F.when(F.rlike(column, F.lit(_TEXT)), column)
        plain = text.try_cast("timestamp")
        return F.when(F.rlike(text, F.lit(_ZONED)), plain).otherwise(F.to_utc_timestamp(plain, self.zone))

    def arrow(self, column: pa.Array) -> pa.Array:
        """Microseconds since 1970, of values as JSON has them, with times decoded; null where the gate must decide."""
        if self.unit is None:
            micros = column.cast(pa.timestamp("us", column.type.tz if pa.types.is_timestamp(column.type) else None))
            micros = micros.cast(pa.int64())
            if isinstance(self.kind, DateType) and self.zone != ZONE:
                micros = local_times.utc_micros(micros, self.zone)
            return _up_to(micros, LIMIT_MICROS)
        if pa.types.is_string(column.type):
            column = pc.if_else(pc.match_substring_regex(column, r"^\d{1,19}$"), column, None)
        times, by = 10**6 // UNITS[self.unit], UNITS[self.unit] // 10**6
        if pa.types.is_floating(column.type):
            number = _up_to(column, float(_limit(self.unit)))
            shifted = pc.multiply(number, float(times)) if times else pc.divide(number, float(by))
            return pc.round(shifted, round_mode="half_to_even").cast(pa.int64())
        number = _up_to(column.cast(pa.int64()), min(_limit(self.unit), 2**63 - 1))
        return pc.multiply(number, times) if times else pc.divide(number, by)

    def moment(self, value: Any) -> datetime:
        """The instant in Python. `value`: from a record that the gate has found good, by json.loads with Decimal for
        fractions. Raises ValueError or TypeError if Python cannot read it.
        """
        if self.unit is not None:
            times, by = 10**6 // UNITS[self.unit], UNITS[self.unit] // 10**6
            if isinstance(self.kind, DoubleType):
                micros = round(float(value) * float(times) if times else float(value) / float(by))
            else:
                micros = int(Fraction(str(value)) * times if times else Fraction(str(value)) / by)
            return instants.from_micros(micros)
        zone = ZoneInfo(self.zone)
        if isinstance(self.kind, DateType):
            day = date.fromisoformat(value)
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)

    def definition(self) -> str:
        """As the definition of a result has it: the name, and what differs from the defaults."""
        unit = "" if isinstance(self.kind, LongType) and self.unit == BIGINT_UNIT else self.unit
        zone = "" if self.zone == ZONE else self.zone
        more = " ".join(filter(None, (unit, zone)))
        return f"{self.name} ({more})" if more else self.name


def _limit(unit: str) -> int:
    return LIMIT_MICROS // 10**6 * UNITS[unit]


def _up_to(column: pa.Array, limit: float) -> pa.Array:
    """The numbers from 0 to below the limit, null for the others."""
    return pc.if_else(pc.and_(pc.greater_equal(column, 0), pc.less(column, limit)), column, None)


def of_topic(topic: Any) -> EventTime:
    """The event time as the schema file declares it. Raises Mistake if it names no column, or contradicts its type."""
    unit, zone = getattr(topic, "EVENT_TIME_UNIT", None), getattr(topic, "ZONE", ZONE)
    if unit is not None and unit not in UNITS:
        raise Mistake(
            f"{location(topic, 'EVENT_TIME_UNIT')}: EVENT_TIME_UNIT is {unit}; take one of {', '.join(UNITS)}"
        )
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise Mistake(
            f"{location(topic, 'ZONE')}: ZONE names {zone}; there is no time zone of this name, as Europe/Berlin is one"
        ) from None
    if topic.EVENT_TIME is None:
        return _of_record(topic, zone)
    path, kind = _column(topic)
    ahead = getattr(topic, "MAX_AHEAD", MAX_AHEAD)
    return EventTime(path, kind, _unit(topic, kind, unit), zone, None if ahead is None else durations.seconds(ahead))


def _of_record(topic: Any, zone: str) -> EventTime:
    """The record's own timestamp. Raises Mistake for what is said of a field of its value."""
    for name in ("EVENT_TIME_UNIT", "MAX_AHEAD"):
        if getattr(topic, name, None) is not None:
            raise Mistake(
                f"{location(topic, name)}: EVENT_TIME is None, which is the record's own timestamp, and {name} says "
                f"something of a field: leave {name} out, or let EVENT_TIME name the field"
            )
    return EventTime((RECORD_TIMESTAMP,), TimestampType(), None, zone, 0, is_of_record=True)


def _unit(topic: Any, kind: DataType, unit: str | None) -> str | None:
    """The unit of an event time of this type; None if it needs none. Raises Mistake if it lacks one, or cannot have it,
    or is of a type that is no time.
    """
    where, name = location(topic, "EVENT_TIME"), topic.EVENT_TIME
    if isinstance(kind, (TimestampType, DateType)):
        if unit is not None:
            raise Mistake(f"{where}: {name} is {kind.simpleString()}, which has no unit: leave EVENT_TIME_UNIT out")
        return None
    if isinstance(kind, LongType):
        return unit or BIGINT_UNIT
    if isinstance(kind, (*_WHOLE, DoubleType, DecimalType)):
        if unit is None:
            raise Mistake(
                f"{where}: the event time {name} is {kind.simpleString()}: say in which unit it is written, "
                f'EVENT_TIME_UNIT = "seconds", or {", ".join(list(UNITS)[1:])} since 1970'
            )
        return unit
    if isinstance(kind, StringType):
        return unit
    inside = (
        f'; name a field inside it: "{name}.{kind.names[0]}"' if isinstance(kind, StructType) and kind.names else ""
    )
    raise Mistake(
        f"{where}: the event time {name} is {kind.simpleString()}; it may be timestamp, date, or, with "
        f"EVENT_TIME_UNIT, bigint, int, double, decimal and string{inside}"
    )


def _column(topic: Any) -> tuple[tuple[str, ...], DataType]:
    """Path and type: of a column of this name, or of the field inside one to which the dots lead."""
    name, columns = topic.EVENT_TIME, topic.COLUMNS
    if name in columns.fieldNames():
        return (name,), columns[name].dataType
    kind: DataType = columns
    for step in name.split("."):
        if not isinstance(kind, StructType) or step not in kind.fieldNames():
            there = ", ".join(_leaves(columns))
            raise Mistake(
                f"{location(topic, 'EVENT_TIME')}: EVENT_TIME names {name}, which is not in COLUMNS; there are "
                f"{there}; or None for the record's own timestamp"
            )
        kind = kind[step].dataType
    return tuple(name.split(".")), kind


def _leaves(columns: StructType, above: str = "") -> list[str]:
    """The columns, and the fields inside them as dots lead to them."""
    names = []
    for field in columns:
        inside = field.dataType
        names += _leaves(inside, f"{above}{field.name}.") if isinstance(inside, StructType) else [above + field.name]
    return names
