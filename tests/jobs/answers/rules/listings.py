"""Events and rules about them, for tests: random ones, with a plain evaluation of a rule on one event."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    LongType,
    StringType,
    TimestampType,
)

FIELDS: dict[str, DataType] = {
    "city": StringType(),
    "rooms": LongType(),
    "rent": DoubleType(),
    "size": FloatType(),
    "fee": DecimalType(10, 2),
    "since": DateType(),
    "seen": TimestampType(),
    "furnished": BooleanType(),
    "text": StringType(),
}
ARROW = pa.schema(
    {
        "city": pa.string(),
        "rooms": pa.int64(),
        "rent": pa.float64(),
        "size": pa.float32(),
        "fee": pa.decimal128(10, 2),
        "since": pa.date32(),
        "seen": pa.timestamp("us", "UTC"),
        "furnished": pa.bool_(),
        "text": pa.string(),
    }
)
WORDS = ("sunny", "flat", "CAFÉ", "cafe\u0301", "near", "lake", "Straße", "b2")
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "city": st.sampled_from(["", "a", "ab", "abc", "b", "Ä", "O'Hara", "\uffff", "\U0001f600", "x%", "a_"]),
    "rooms": st.sampled_from([0, 1, 2, 3, -1, 2**63 - 1, -(2**63)]),
    "rent": st.sampled_from([0.0, 1.5, 2.0, -7.25, 1e300]),
    "size": st.sampled_from([0.0, 0.5, 1.25, -3.0]),
    "fee": st.sampled_from([Decimal("0.00"), Decimal("1.50"), Decimal("-2.25"), Decimal("99999999.99")]),
    "since": st.sampled_from([date(1969, 12, 31), date(2024, 2, 29), date(2024, 3, 1)]),
    "seen": st.sampled_from(
        [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=n, microseconds=n) for n in (-1, 0, 9)]
    ),
    "furnished": st.booleans(),
}
SPECIAL = {"rent": [float("nan"), float("inf"), -0.0], "size": [float("nan"), -0.0]}
"""Values that events have, and no literal can say."""
TEXTS = st.lists(st.sampled_from([*WORDS, "don't", "x_y", "-", "\n"]), max_size=6).map(" ".join)

Node = tuple[Any, ...]
"""A rule: ("and", left, right), ("not", inner), ("=", field, value), ("in", field, values), ..."""


def events() -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows with nulls."""
    columns = {
        name: st.none() | (values | st.sampled_from(SPECIAL[name]) if name in SPECIAL else values)
        for name, values in VALUES.items()
    }
    return st.lists(st.fixed_dictionaries(columns | {"text": st.none() | TEXTS}), min_size=1, max_size=12)


def rules(with_words: bool) -> st.SearchStrategy[Node]:
    """Rules of every kind of term."""
    field = st.sampled_from(sorted(VALUES))
    comparisons = field.flatmap(
        lambda name: st.tuples(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]), st.just(name), VALUES[name])
    )
    between = field.flatmap(lambda name: st.tuples(st.just("between"), st.just(name), VALUES[name], VALUES[name]))
    lists = field.flatmap(
        lambda name: st.tuples(st.just("in"), st.just(name), st.lists(VALUES[name], min_size=1, max_size=4))
    )
    prefixes = st.tuples(
        st.just("like"), st.just("city"), st.sampled_from(["a", "ab", "Ä", "\uffff", "\U0001f600", "O'"])
    )
    nulls = st.tuples(st.just("is null"), field)
    leaf = comparisons | between | lists | prefixes | nulls
    if with_words:
        phrase = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3)
        leaf = leaf | st.tuples(st.just("contains"), st.just("text"), phrase)
    return st.recursive(
        leaf,
        lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner) | st.tuples(st.just("not"), inner),
        max_leaves=6,
    )


def text_of(node: Node) -> str:
    """The rule as its author would write it."""
    kind, *rest = node
    if kind in ("and", "or"):
        return f"({text_of(rest[0])}) {kind} ({text_of(rest[1])})"
    if kind == "not":
        return f"not ({text_of(rest[0])})"
    if kind == "is null":
        return f"{rest[0]} is null"
    if kind == "between":
        return f"{rest[0]} between {literal(rest[1])} and {literal(rest[2])}"
    if kind == "in":
        return f"{rest[0]} in ({', '.join(map(literal, rest[1]))})"
    if kind == "like":
        return f"{rest[0]} like {literal(rest[1] + '%')}"
    if kind == "contains":
        return f"{'contains' if len(rest[1]) == 1 else 'contains_phrase'}({rest[0]}, {literal(' '.join(rest[1]))})"
    return f"{rest[0]} {kind} {literal(rest[1])}"


def literal(value: Any) -> str:
    """A value as SQL writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | date):
        return "'" + str(value).replace("'", "''") + "'"
    return str(value)


def met(node: Node, event: Mapping[str, Any]) -> bool | None:
    """Whether the event meets the rule; None: unknown, as SQL has it. Plain Python, a case for each kind of term."""
    kind, *rest = node
    if kind in ("and", "or"):
        sides, decisive = [met(each, event) for each in rest], kind == "or"
        return decisive if decisive in sides else None if None in sides else not decisive
    if kind == "not":
        return None if (inner := met(rest[0], event)) is None else not inner
    value = event[rest[0]]
    if kind == "is null":
        return value is None
    if value is None:
        return None
    if kind == "contains":
        return any(
            f"|{'|'.join(plain_words(' '.join(rest[1])))}|" in text for text in [f"|{'|'.join(plain_words(value))}|"]
        )
    if kind == "like":
        return bool(value.startswith(rest[1]))
    if kind == "between":
        return order(value) >= order(rest[1]) and order(value) <= order(rest[2])
    if kind == "in":
        return value in rest[1]
    left, right = order(value), order(rest[1])
    return {
        "=": left == right,
        "<>": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[kind]


def order(value: Any) -> tuple[bool, Any]:
    """NaN comes after all numbers, and equals itself."""
    return (True, 0) if isinstance(value, float) and value != value else (False, value)


def plain_words(text: str) -> list[str]:
    """The words of the texts above: what is no letter or digit parts them; an accent may stand apart."""
    composed = text.replace("e\u0301", "é").replace("É", "é").replace("ß", "ss").lower()
    return "".join(character if character.isalnum() else " " for character in composed).split()
