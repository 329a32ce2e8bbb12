"""Literals of a rule as values of the type of a column, in the form in which they are compared with it: whole numbers
for dates (days since 1970) and times (microseconds since 1970, UTC), 0 and 1 for booleans.
"""

import math
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    TimestampType,
)

from jobs.answers.rules.bounds import MOST_DIGITS
from jobs.answers.rules.rule_fault import RuleFault
from jobs.answers.rules.tokens import Token
from jobs.running import instants

WHOLE: dict[DataType, int] = {ByteType(): 8, ShortType(): 16, IntegerType(): 32, LongType(): 64}
"""Types of whole numbers, and their bits."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    rf"{_DATE.pattern}(?:[ T][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]{{1,6}})?)?(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})?)?"
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def is_usable(kind: DataType) -> bool:
    """Whether rules may ask for columns of this type."""
    plain = (BooleanType, DateType, DecimalType, DoubleType, FloatType, TimestampType)
    return kind in WHOLE or kind == StringType() or isinstance(kind, plain)


def value(token: Token, kind: DataType) -> Any:
    """The literal as a value of this type, which is_usable. Raises RuleFault if it is none."""
    if isinstance(kind, StringType):
        return _text(token, "a text in single quotes")
    if isinstance(kind, BooleanType):
        if token.kind != "boolean":
            raise RuleFault(token.column, "the field takes true or false")
        return int(token.value == "true")
    if isinstance(kind, DateType):
        return _day(token)
    if isinstance(kind, TimestampType):
        return _micros(token)
    if token.kind != "number":
        raise RuleFault(token.column, "the field takes numbers")
    if sum(map(str.isdigit, token.value)) > MOST_DIGITS:
        raise RuleFault(token.column, f"a number of more than {MOST_DIGITS} digits")
    if isinstance(kind, DecimalType):
        return _decimal(token)
    return _whole(token, WHOLE[kind]) if kind in WHOLE else _fraction(token, kind)


def _text(token: Token, what: str) -> str:
    if token.kind != "text":
        raise RuleFault(token.column, f"the field takes {what}")
    return token.value


def _day(token: Token) -> int:
    text = _text(token, "dates, such as '2024-02-29'")
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text).toordinal() - _EPOCH_DAY
    except ValueError:
        pass
    raise RuleFault(token.column, "no date; dates are written like '2024-02-29'")


def _micros(token: Token) -> int:
    text = _text(token, "times, such as '2024-02-29 13:00:00Z'")
    try:
        if _TIME.fullmatch(text):
            instant = datetime.fromisoformat(text)
            return instants.to_micros(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    except ValueError:
        pass
    raise RuleFault(token.column, "no time; times are written like '2024-02-29 13:00:00Z', without a zone they are UTC")


def _whole(token: Token, bits: int) -> int:
    if not token.value.lstrip("-").isdigit():
        raise RuleFault(token.column, "the field takes whole numbers")
    number = int(token.value)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise RuleFault(token.column, f"a number beyond those of the field, which has {bits} bits")
    return number


def _fraction(token: Token, kind: DataType) -> float:
    """A double; of a float field the float that is nearest to the literal, or 0.1 would never be equal."""
    with np.errstate(over="ignore"):
        number = float(np.float32(token.value)) if isinstance(kind, FloatType) else float(token.value)
    if math.isinf(number):
        raise RuleFault(token.column, "a number beyond those of the field")
    return number


def _decimal(token: Token) -> Decimal:
    number = Decimal(token.value)
    if abs(number.adjusted()) > MOST_DIGITS:
        raise RuleFault(token.column, "a number beyond those of the field")
    return number
