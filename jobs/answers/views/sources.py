"""A SELECT taken apart: which tables it joins, by what, and from which one the columns `by` are.

None is always a right answer: then nobody relies on anything. What is found here must be certain, so whatever is not
known to be harmless makes it None.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_PARTS = frozenset(
    ("expressions", "from_", "joins", "where", "group", "having", "qualify", "windows", "order", "distinct")
)
_JOIN_PARTS = frozenset(("this", "side", "kind", "on", "using"))
_TABLE_PARTS = frozenset(("this", "alias"))
_NEVER = (exp.Query, exp.UDTF, exp.Columns, exp.Placeholder, exp.Parameter)
"""Not within the SELECT."""


@dataclass(frozen=True)
class Column:
    """A column of one of the joined tables."""

    alias: str
    """How the SELECT calls the table, in small letters."""
    name: str
    kind: pa.DataType


@dataclass(frozen=True)
class Source:
    """A table where it is joined."""

    alias: str
    """In small letters."""
    table: str
    columns: Mapping[str, Column]
    """By name in small letters."""
    is_optional: bool
    """Whether it is joined by a LEFT JOIN: rows without one of it stay."""


@dataclass
class Sources:
    """The joined tables, and what must be true of their rows."""

    by_alias: dict[str, Source] = field(default_factory=dict)
    always: list[exp.Expr] = field(default_factory=list)
    """Holds for every row that is joined and not filtered away."""
    own: dict[str, list[exp.Expr]] = field(default_factory=dict)
    """By alias of an optional table, what holds where a row of it is joined."""
    merged: dict[str, Column] = field(default_factory=dict)
    """Columns that USING has made one of several, by name in small letters: that of the first table."""
    equal: list[tuple[Column, Column, str]] = field(default_factory=list)
    """Pairs that USING compares; and the alias of the optional table where that holds, or ""."""
    renamed: frozenset[str] = frozenset()
    """Names that the SELECT gives to something that is not the column of this name: what they mean is not certain."""

    def column(self, found: exp.Expr) -> Column | None:
        """The column that this is; None if it is none, or not certainly one."""
        found = found.unnest()
        if not isinstance(found, exp.Column) or isinstance(found.this, exp.Star) or found.args.get("db"):
            return None
        name = found.name.lower()
        if found.table:
            source = self.by_alias.get(found.table.lower())
            return source.columns.get(name) if source else None
        if name in self.renamed:
            return None
        if name in self.merged:
            return self.merged[name]
        having = [source.columns[name] for source in self.by_alias.values() if name in source.columns]
        return having[0] if len(having) == 1 else None


@dataclass(frozen=True)
class Parts:
    """A SELECT whose rows with some values of `by` follow, of one table, from the rows with these values alone."""

    sources: Sources
    by: tuple[Column, ...]
    """The columns of that table which `by` are."""


def take_apart(sql: str, by: tuple[str, ...], tables: Mapping[str, pa.Schema]) -> Parts | None:
    """None if it is not certain that rows with some values of `by` follow from rows of one table with these values."""
    try:
        select = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError:
        return None
    if not isinstance(select, exp.Select) or any(value for name, value in select.args.items() if name not in _PARTS):
        return None
    inner = (node for node in select.walk() if node is not select)
    if any(isinstance(node, _NEVER) for node in inner):
        return None
    sources = _sources(select, tables)
    columns = sources and _by_columns(select, by, sources)
    if not sources or not columns or len({column.alias for column in columns}) != 1:
        return None
    if sources.by_alias[columns[0].alias].is_optional or not _keeps_apart(select, columns, sources):
        return None
    return Parts(sources, tuple(columns))


def _sources(select: exp.Select, tables: Mapping[str, pa.Schema]) -> Sources | None:
    found, first = Sources(), select.args.get("from_")
    joins = select.args.get("joins") or []
    if not first or not _add_source(found, first.this, tables, is_optional=False):
        return None
    for join in joins:
        side, kind = join.side.upper(), join.kind.upper()
        if any(value for name, value in join.args.items() if name not in _JOIN_PARTS) or (side, kind) not in (
            *(("", ""), ("", "INNER"), ("", "CROSS"), ("LEFT", ""), ("LEFT", "OUTER")),
        ):
            return None
        before = list(found.by_alias.values())
        source = _add_source(found, join.this, tables, is_optional=bool(side))
        if not source or not _add_using(found, before, source, join.args.get("using") or []):
            return None
        holds = found.own.setdefault(source.alias, []) if source.is_optional else found.always
        holds += _conjuncts(join.args.get("on"))
    where = select.args.get("where")
    found.always += _conjuncts(where.this if where else None)
    found.renamed = frozenset(_other_names(select, found))
    return found


def _other_names(select: exp.Select, sources: Sources) -> Iterator[str]:
    for each in select.expressions:
        name = each.alias.lower()
        column = sources.column(each.unalias()) if name else None
        if name and (not column or column.name.lower() != name):
            yield name


def _add_source(found: Sources, table: exp.Expr, tables: Mapping[str, pa.Schema], is_optional: bool) -> Source | None:
    if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
        return None
    alias = table.args.get("alias")
    if any(value for name, value in table.args.items() if name not in _TABLE_PARTS) or (alias and alias.columns):
        return None
    name = next((known for known in tables if known.lower() == table.name.lower()), None)
    called = (table.alias or table.name).lower()
    if name is None or called in found.by_alias:
        return None
    columns = {each.name.lower(): Column(called, each.name, each.type) for each in tables[name]}
    found.by_alias[called] = Source(called, name, columns, is_optional)
    return found.by_alias[called]


def _add_using(found: Sources, before: list[Source], source: Source, names: list[exp.Expr]) -> bool:
    """Whether it is certain which columns USING compares; they are added then."""
    for name in (each.name.lower() for each in names):
        having = [one.columns[name] for one in before if name in one.columns]
        left = found.merged.get(name) or (having[0] if len(having) == 1 else None)
        if not left or name not in source.columns:
            return False
        found.merged[name] = left
        found.equal.append((left, source.columns[name], source.alias if source.is_optional else ""))
    return True


def _conjuncts(condition: exp.Expr | None) -> Iterator[exp.Expr]:
    """The conditions that must all be true."""
    if condition is None:
        return
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.this)
        yield from _conjuncts(condition.expression)
    else:
        yield condition


def _by_columns(select: exp.Select, by: tuple[str, ...], sources: Sources) -> list[Column] | None:
    """The columns that `by` are, if the SELECT gives each as it is."""
    found = []
    for name in by:
        column = _output_column(select, name.lower(), sources)
        if not column:
            return None
        found.append(column)
    return found


def _output_column(select: exp.Select, name: str, sources: Sources) -> Column | None:
    given = [each for each in select.expressions if not each.is_star]
    named = [each for each in given if each.alias_or_name.lower() == name]
    if named:
        return sources.column(named[0].unalias()) if len(named) == 1 else None
    for star in (each for each in select.expressions if each.is_star):
        what = star.this if isinstance(star, exp.Column) else star
        if not isinstance(what, exp.Star) or what.args.get("replace") or what.args.get("rename"):
            return None
        source = sources.by_alias.get(star.table.lower()) if isinstance(star, exp.Column) else None
        column = source.columns.get(name) if source else sources.column(exp.column(name, quoted=True))
        if column:
            return column
    return None


def _keeps_apart(select: exp.Select, by: list[Column], sources: Sources) -> bool:
    """Whether no row of the SELECT depends on rows with other values of these columns."""
    distinct = select.args.get("distinct")
    if distinct and distinct.args.get("on"):
        return False
    named = {window.name.lower(): window for window in select.args.get("windows") or []}
    for window in select.find_all(exp.Window):
        base = named.get((window.args.get("alias") or exp.Identifier(this="")).name.lower(), window)
        is_chain = base is not window and base.args.get("alias")
        if is_chain or not _has_all(base.args.get("partition_by") or [], by, sources):
            return False
    group = select.args.get("group")
    if not group:
        return not select.args.get("having")
    if any(value for name, value in group.args.items() if name not in ("expressions", "all")):
        return False
    groups = [
        select.expressions[int(one.name) - 1].unalias() if _is_place(one, select) else one for one in group.expressions
    ]
    return bool(group.args.get("all")) or _has_all(groups, by, sources)


def _is_place(found: exp.Expr, select: exp.Select) -> bool:
    """Whether it is the number of a column that the SELECT gives, and no star is before it."""
    is_number = isinstance(found, exp.Literal) and found.is_int
    return is_number and 0 < int(found.name) <= len(select.expressions) and not select.is_star


def _has_all(parts: list[exp.Expr], by: list[Column], sources: Sources) -> bool:
    """Whether all of the columns are among these expressions."""
    return set(by) <= {sources.column(part) for part in parts}
