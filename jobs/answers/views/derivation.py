"""Which values of `by` a change touches, worked out from the SQL of a view where that is certain.

A changed row is followed along equal columns of the joins to the table that has the columns `by`. On its way the tables
hold the rows as they are and, of changed ones, as they were: so what was joined before, and what is joined now, finds
its way, whatever else has changed together with it.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from jobs.answers.views.engine import quote
from jobs.answers.views.sources import Column, Parts, Source, Sources, take_apart
from jobs.answers.views.view import CHANGED

_COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}


@dataclass(frozen=True)
class Derivation:
    """What is certain of a view."""

    touched: Mapping[str, str]
    """By table, SQL that selects the touched values of `by`. A change of a table that is not here may touch any row."""
    table: str | None
    """The table whose rows with touched values are all that is needed of it; None: it is needed as a whole."""
    columns: tuple[str, ...]
    """The columns of that table which `by` are."""


def derive(sql: str, by: tuple[str, ...], tables: Mapping[str, pa.Schema]) -> Derivation:
    """`tables`: the columns of each table that the SQL may read."""
    parts = take_apart(sql, by, tables) if by else None
    if not parts:
        return Derivation({}, None, ())
    sources = parts.sources
    root = sources.by_alias[parts.by[0].alias]
    found: dict[str, list[str] | None] = {}
    for source in sources.by_alias.values():
        selects = found.setdefault(source.table, [])
        path = _path(sources, source, root)
        if path is None:
            found[source.table] = None
        elif selects is not None:
            selects.append(_select(parts, path))
    touched = {table: " union ".join(selects) for table, selects in found.items() if selects}
    once = sum(source.table == root.table for source in sources.by_alias.values()) == 1
    return Derivation(touched, root.table if once else None, tuple(column.name for column in parts.by))


def _path(sources: Sources, source: Source, root: Source) -> list[Source] | None:
    """The tables from this one to the root, each joined to the next by an equality that holds for every row of it that
    matters; None if there is no such way.
    """
    ways, waiting = {source.alias: [source]}, deque([source])
    while waiting:
        here = waiting.popleft()
        if here.alias == root.alias:
            return ways[here.alias]
        for one, other in _equalities(sources, {here.alias}):
            if here.alias in (one.alias, other.alias):
                there = sources.by_alias[other.alias if one.alias == here.alias else one.alias]
                if there.alias not in ways:
                    ways[there.alias] = [*ways[here.alias], there]
                    waiting.append(there)
    return None


def _equalities(sources: Sources, aliases: set[str]) -> Iterator[tuple[Column, Column]]:
    """Pairs of columns of two tables that are equal wherever rows of the tables with these aliases are joined."""
    for one, other, where in sources.equal:
        if (not where or where in aliases) and _are_comparable(one.kind, other.kind):
            yield one, other
    for condition in _conditions(sources, aliases):
        if isinstance(condition, exp.EQ):
            left, right = sources.column(condition.this), sources.column(condition.expression)
            if left and right and left.alias != right.alias and _are_comparable(left.kind, right.kind):
                yield left, right


def _conditions(sources: Sources, aliases: set[str]) -> Iterator[exp.Expr]:
    yield from sources.always
    for alias in sorted(aliases):
        yield from sources.own.get(alias, ())


def _are_comparable(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether values of these types compare without a conversion that a value may not survive."""
    return bool(one == other) or (pa.types.is_integer(one) and pa.types.is_integer(other))


def _select(parts: Parts, path: list[Source]) -> str:
    """SQL that follows changed rows of the first table along the path to the last, which has the columns `by`."""
    sources, aliases = parts.sources, {source.alias for source in path}
    tables = [f"{quote(CHANGED if place == 0 else one.table)} as {quote(one.alias)}" for place, one in enumerate(path)]
    equal = [
        f"{_text(one)} = {_text(other)}"
        for one, other in _equalities(sources, aliases)
        if {one.alias, other.alias} <= aliases
    ]
    filters = [text for each in _conditions(sources, aliases) if (text := _filter(sources, each, aliases))]
    where = f" where {' and '.join([*equal, *filters])}" if equal or filters else ""
    return f"select {', '.join(map(_text, parts.by))} from {', '.join(tables)}{where}"


def _text(column: Column) -> str:
    return f"{quote(column.alias)}.{quote(column.name)}"


def _filter(sources: Sources, condition: exp.Expr, aliases: set[str]) -> str | None:
    """The condition as SQL, if it compares a column of these tables with a constant of its type, or is one of booleans.
    It is never true of null: so it holds for no row of an outer join that has no partner, either.
    """
    is_not = isinstance(condition, exp.Not)
    operator = _COMPARISONS.get(type(condition))
    column = sources.column(condition.this if is_not or operator else condition)
    if not column or column.alias not in aliases:
        return None
    if not operator:
        return f"{'not ' if is_not else ''}{_text(column)}" if pa.types.is_boolean(column.kind) else None
    value = _constant(condition.expression.unnest(), column.kind)
    return value and f"{_text(column)} {operator} {value}"


def _constant(value: exp.Expr, kind: pa.DataType) -> str | None:
    """The constant as SQL, if it is one of this type: then nothing is converted to compare it."""
    if isinstance(value, exp.Boolean):
        return str(value.this).lower() if pa.types.is_boolean(kind) else None
    if isinstance(value, exp.Literal) and value.is_string:
        escaped = value.name.replace("'", "''")
        return f"'{escaped}'" if pa.types.is_string(kind) else None
    literal = value.this if isinstance(value, exp.Neg) else value
    is_number = isinstance(literal, exp.Literal) and not literal.is_string and literal.name.isdigit()
    sign = "-" if isinstance(value, exp.Neg) else ""
    return f"{sign}{literal.name}" if is_number and pa.types.is_integer(kind) else None
