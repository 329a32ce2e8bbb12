"""Values as texts that are the same for the same value, made by PostgreSQL and of a Delta table.

Numbers are as short as they can be, times are microseconds since 1970, fractions the bits of a double, bytes are hex
digits, lists JSON.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WHOLE = ("int2", "int4", "int8", "oid")
_TEXTS = (
    *("text", "varchar", "bpchar", "name", "uuid", "json", "jsonb", "xml", "citext", "ltree"),
    *("inet", "cidr", "macaddr", "macaddr8", "int4range", "int8range", "numrange", "daterange"),
)
_ELEMENTS = ("int2", "int4", "int8", "text", "varchar", "bool", "uuid")
"""Types whose lists are compared."""
_EXACT = Context(prec=100)


@dataclass(frozen=True)
class DatabaseColumn:
    """A column of a table in PostgreSQL."""

    name: str
    kind: str
    """The name of its type in pg_type; of a domain, that of its base type."""
    is_enum: bool
    element: str | None
    """Of an array, the name of the type of its elements."""


def expression(column: DatabaseColumn, quoted: str, target: pa.DataType) -> str | None:
    """SQL of the text of a value, `quoted` being the name of the column; `target`: the column of the result. None if
    values of such types cannot be compared.
    """
    if column.element:
        return f"array_to_json({quoted})::text" if pa.types.is_list(target) and column.element in _ELEMENTS else None
    if pa.types.is_string(target):
        return quoted if column.is_enum or column.kind in _TEXTS else None
    for is_kind, by_kind in _EXPRESSIONS:
        if is_kind(target):
            form = by_kind.get(column.kind)
            if column.kind == "float4" and pa.types.is_float32(target):
                form = _BITS.format("{0}::float8")
            return None if form is None else form.format(quoted)
    return None


_BITS = "encode(float8send({} + 0.0::float8), 'hex')"
_MICROS = (
    "case when isfinite({0}) then (extract(epoch from date_trunc('second', {0}))::bigint * 1000000 "
    "+ extract(microseconds from {0})::bigint % 1000000)::text else {0}::text end"
)
_TIME_MICROS = (
    "(extract(hour from {0})::bigint * 3600000000 + extract(minute from {0})::bigint * 60000000 "
    "+ extract(microseconds from {0})::bigint)::text"
)
_DAYS = "case when isfinite({0}) then ({0} - date '1970-01-01')::text else {0}::text end"
_AS_TEXT = dict.fromkeys(_WHOLE, "{0}::text")
_EXPRESSIONS: tuple[tuple[Callable[[pa.DataType], bool], dict[str, str]], ...] = (
    (pa.types.is_integer, _AS_TEXT | {"time": _TIME_MICROS}),
    (pa.types.is_boolean, {"bool": "{0}::text"}),
    (pa.types.is_decimal, _AS_TEXT | dict.fromkeys(("numeric", "money"), "trim_scale({0}::numeric)::text")),
    (
        pa.types.is_floating,
        dict.fromkeys((*_WHOLE, "float8", "numeric"), _BITS.format("{0}::float8"))
        | {"float4": _BITS.format("{0}::text::float8")},  # Debezium writes 0.1, which a double has otherwise
    ),
    (pa.types.is_date, {"date": _DAYS}),
    (pa.types.is_timestamp, dict.fromkeys(("timestamp", "timestamptz"), _MICROS)),
    (pa.types.is_binary, {"bytea": "encode({0}, 'hex')"}),
)


def of_database(column: DatabaseColumn, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """What PostgreSQL has written for `expression`, in the form of `of_result`."""
    return _json_texts(map(_json_value, texts.to_pylist())) if column.element else texts


def of_result(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts of a column of a result."""
    kind = values.type
    if pa.types.is_decimal(kind):
        return pa.chunked_array([pa.array(map(_short, values.to_pylist()), pa.string())])
    if pa.types.is_floating(kind):
        return _bits(values)
    if pa.types.is_date(kind):
        return values.cast(pa.int32()).cast(pa.string())
    if pa.types.is_timestamp(kind):
        return values.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()).cast(pa.string())
    if pa.types.is_binary(kind):
        return pa.chunked_array([pa.array([v if v is None else v.hex() for v in values.to_pylist()], pa.string())])
    return _json_texts(values.to_pylist()) if pa.types.is_list(kind) else values.cast(pa.string())


def _short(number: Decimal | None) -> str | None:
    return None if number is None else format(_EXACT.normalize(number), "f")


def _bits(values: pa.ChunkedArray) -> pa.ChunkedArray:
    numbers = np.asarray(pc.fill_null(values.cast(pa.float64()), 0.0).to_numpy()) + 0.0
    digits = np.where(np.isnan(numbers), np.nan, numbers).astype(">f8").tobytes().hex()
    texts = pa.array([digits[place : place + 16] for place in range(0, len(digits), 16)], pa.string())
    return pa.chunked_array([pc.if_else(pc.is_valid(values).combine_chunks(), texts, pa.scalar(None, pa.string()))])


def _json_value(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _json_texts(values: object) -> pa.ChunkedArray:
    texts = [None if one is None else json.dumps(one) for one in values]  # type: ignore[attr-defined]
    return pa.chunked_array([pa.array(texts, pa.string())])
