"""Values as Debezium's connectors encode them in JSON, as headrace's gate reads them.

The kinds are the names that Debezium gives in the schema of a record: documentation of its connector for PostgreSQL,
"Data type mappings". A value that cannot be read stays what it is, and the gate puts the record into quarantine.
"""

import base64
from collections.abc import Callable
from datetime import date, timedelta

import msgspec
from pyspark.sql.types import ArrayType, BinaryType, DataType, DateType, DecimalType, TimestampType

from jobs.events.changes.change_form import instant

_UNKNOWN = "__debezium_unavailable_value"
"""Written for a large value that a change has left alone, and which PostgreSQL therefore does not tell."""

Convert = Callable[[bytes], bytes]
"""From one JSON value to another."""

_MICROS = {
    "io.debezium.time.Timestamp": 1_000,
    "org.apache.kafka.connect.data.Timestamp": 1_000,
    "io.debezium.time.MicroTimestamp": 1,
}
"""Microseconds of one unit, by kind."""
_NANOS = "io.debezium.time.NanoTimestamp"
DECIMAL = "org.apache.kafka.connect.data.Decimal"
"""An unscaled number in base64; its scale is that of the column."""
_DECIMALS = (DECIMAL, "io.debezium.data.VariableScaleDecimal")


def same(value: bytes) -> bytes:
    """The value itself."""
    return value


def converter(kind: DataType, name: str | None) -> Convert:
    """What makes values readable as `kind`; `name`: the kind that Debezium gives, None if nobody says it."""
    if isinstance(kind, DateType):
        return _day
    if isinstance(kind, TimestampType):
        if name == _NANOS:
            return _nanos
        return _instant(_MICROS[name]) if name in _MICROS else same
    if isinstance(kind, DecimalType) and name in _DECIMALS:
        return _decimal(kind.scale)
    return same


def unknown_value(kind: DataType) -> bytes:
    """What stands for a value of a column that the record does not tell."""
    if isinstance(kind, BinaryType):
        return b'"' + base64.b64encode(_UNKNOWN.encode()) + b'"'
    return f'["{_UNKNOWN}"]'.encode() if isinstance(kind, ArrayType) else f'"{_UNKNOWN}"'.encode()


def _is_whole(value: bytes) -> bool:
    return value.removeprefix(b"-").isdigit()


def _day(value: bytes) -> bytes:
    if value.endswith(b'Z"'):  # of time.precision.mode=isostring
        return value[:-2] + b'"'
    if not _is_whole(value):
        return value
    try:
        return f'"{(date(1970, 1, 1) + timedelta(days=int(value))).isoformat()}"'.encode()
    except OverflowError:
        return value


def _instant(micros: int) -> Convert:
    return lambda value: instant(int(value) * micros) if _is_whole(value) else value


def _nanos(value: bytes) -> bytes:
    return instant(int(value) // 1_000) if _is_whole(value) else value


def _decimal(scale: int) -> Convert:
    """Of an unscaled number in base64, whose scale is that of the column or stands beside it; as text."""

    def convert(value: bytes) -> bytes:
        try:
            if value.startswith(b"{"):
                scaled = msgspec.json.decode(value, type=_Scaled)
                return _decimal_text(scaled.value, scaled.scale)
            return _decimal_text(msgspec.json.decode(value, type=bytes), scale)
        except (msgspec.MsgspecError, ValueError):
            return value

    return convert


class _Scaled(msgspec.Struct):
    scale: int
    value: bytes


def _decimal_text(unscaled: bytes, scale: int) -> bytes:
    number = int.from_bytes(unscaled, "big", signed=True)
    digits = str(abs(number)).rjust(max(scale, 0) + 1, "0")
    whole, fraction = (digits[:-scale], "." + digits[-scale:]) if scale > 0 else (digits + "0" * -scale, "")
    return f'"{"-" if number < 0 else ""}{whole}{fraction}"'.encode()
