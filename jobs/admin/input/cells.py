"""Cells of CSV in JSON: what kinds of column there are, and which kind the cells of a column allow.

No cell is changed: a number has in the JSON the very characters that it has in the file (but for a decimal comma), and
what does not look the same as a number of JSON is text.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from json.encoder import encode_basestring

from pyspark.sql import types

Write = Callable[[str], str]
"""A cell that is not empty, as JSON. Raises ValueError, with a reason that shows no value."""

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
"""A number of JSON: without leading zeros, plus sign, blanks."""
CERTAIN = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+([eE][+-]?[0-9]{1,3})?|[eE][+-][0-9]{1,3})?")
"""What is taken for a number unasked: not 12e5, which no program writes for a number, but people for a flat."""
WITH_COMMA = re.compile(CERTAIN.pattern.replace(r"\.", ","))
"""The same with a decimal comma; a point in it may part thousands."""
MOST_DIGITS = 400
"""A longer number is text: no reader takes it."""

quote: Write = encode_basestring
"""A text as JSON, as json.dumps(ensure_ascii=False) writes it."""


@dataclass(frozen=True)
class Kind:
    """A kind of column."""

    write: Write
    empty: str = "null"
    """An empty cell as JSON, in quotes or not."""


TEXT = Kind(quote, '""')
QUOTED = Kind(quote)
"""Texts of which none is empty: times, dates."""


def _boolean(cell: str) -> str:
    if cell not in ("true", "false"):
        raise ValueError("neither true nor false")
    return cell


def _number(cell: str) -> str:
    if not NUMBER.fullmatch(cell) or len(cell) > MOST_DIGITS:
        if WITH_COMMA.fullmatch(cell):
            raise ValueError("a number with a decimal comma: --decimal-comma reads it")
        raise ValueError("not a number, or written with a leading zero, a plus sign or blanks")
    return cell


BOOLEAN = Kind(_boolean)
NUMBERS = Kind(_number)


def _comma(write: Write) -> Write:
    def write_cell(cell: str) -> str:
        if "." in cell:
            raise ValueError("a point in a number, where --decimal-comma wants a comma")
        return write(cell.replace(",", "."))

    return write_cell


def guess(cell: str, decimal_comma: bool) -> Kind:
    """The kind of which a cell that is not empty is for certain."""
    pattern = WITH_COMMA if decimal_comma else CERTAIN
    if pattern.fullmatch(cell) and len(cell) <= MOST_DIGITS:
        return NUMBERS_WITH_COMMA if decimal_comma else NUMBERS
    return BOOLEAN if cell in ("true", "false") else TEXT


NUMBERS_WITH_COMMA = Kind(_comma(_number))


def declared_kind(kind: types.DataType, decimal_comma: bool) -> Kind:
    """The kind of a column that a schema file declares; its numbers are of the declared type."""
    if isinstance(kind, (types.StringType, types.CharType, types.VarcharType)):
        return TEXT
    if isinstance(kind, types.BooleanType):
        return BOOLEAN
    write = _declared_number(kind)
    if write:
        return Kind(_comma(write) if decimal_comma else write)
    if isinstance(kind, (types.ArrayType, types.MapType, types.StructType, types.VariantType)):
        return Kind(_refuse_nested)
    return QUOTED


def _declared_number(kind: types.DataType) -> Write | None:
    for whole, bits in ((types.ByteType, 8), (types.ShortType, 16), (types.IntegerType, 32), (types.LongType, 64)):
        if isinstance(kind, whole):
            return _whole(bits)
    if isinstance(kind, types.DecimalType):
        return _decimal(kind.precision, kind.scale)
    if isinstance(kind, (types.FloatType, types.DoubleType)):
        return _fraction(3.4028235e38 if isinstance(kind, types.FloatType) else math.inf)
    return None


def _whole(bits: int) -> Write:
    def write_cell(cell: str) -> str:
        _number(cell)
        if not cell.removeprefix("-").isdigit() or not -(2 ** (bits - 1)) <= int(cell) < 2 ** (bits - 1):
            raise ValueError(f"not a whole number of {bits} bits")
        return cell

    return write_cell


def _decimal(precision: int, scale: int) -> Write:
    def write_cell(cell: str) -> str:
        digits = Decimal(_number(cell)).as_tuple()
        significant = "".join(map(str, digits.digits)).lstrip("0")
        places = -int(digits.exponent)
        after = places - (len(significant) - len(significant.rstrip("0"))) if significant else 0
        if after > scale or len(significant) - places > precision - scale:
            raise ValueError(f"more digits than decimal({precision},{scale}) holds")
        return cell

    return write_cell


def _fraction(largest: float) -> Write:
    def write_cell(cell: str) -> str:
        if not abs(float(_number(cell))) <= largest or math.isinf(float(cell)):
            raise ValueError("larger than its type holds")
        return cell

    return write_cell


def _refuse_nested(_: str) -> str:
    raise ValueError("a cell, where the type is a list, a map or an object: give NDJSON")
