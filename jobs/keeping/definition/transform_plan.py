"""What the plan of a transform says: how each column comes of those of the source, and which rows there are.

Read from Spark's analysed plan, by rules that leave out what means nothing: columns that nothing asks for, their
order, names and steps in between, the numbers that Spark gives to columns, and the seeds of random numbers. Nodes
that are not row by row, and which no rule here knows, are taken as Spark prints them, with all their columns.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from jobs.events.topic_schema import quote
from jobs.running import spark_plan
from jobs.running.spark_plan import members, node_name

Path = tuple[str, ...]
"""A column of the source, or a field inside of it."""


@dataclass(frozen=True)
class Said:
    """What a column, or the rows, come of."""

    text: str
    uses: frozenset[Path] = frozenset()
    """What it depends on."""
    by_type: frozenset[Path] = frozenset()
    """Those of `uses` of which the type counts, not the value alone, as in a hash."""
    path: Path | None = None
    """Set if it is a column of the source, or a field of one, as it is."""

    def named(self) -> "Said":
        """The same with a short text, which stands for it in others."""
        if self.path is not None:
            return self
        return Said("%" + hashlib.sha256(self.text.encode()).hexdigest()[:32], self.uses, self.by_type)


def _joined(text: str, parts: list[Said]) -> Said:
    uses, by_type = ([getattr(part, which) for part in parts] for which in ("uses", "by_type"))
    return Said(text, frozenset().union(*uses), frozenset().union(*by_type))


Columns = dict[int, Said]
"""By Spark's number of it."""


def read(transformed: DataFrame, source: list[str]) -> tuple[Said, dict[str, Said]]:
    """The rows and, by name, the columns of `transformed`, which was made over an `empty` source of these columns."""
    with _untruncated(transformed.sparkSession):
        analysed = spark_plan.analysed_plan(transformed)
        rows, columns = _node(analysed, source)
        return rows, {column.name(): columns[_number(column)] for column in members(analysed.output())}


def empty(spark: SparkSession, columns: Any) -> DataFrame:
    """A source for `read`: no rows of these columns (a StructType)."""
    return spark_plan.empty_relation(spark, columns)


_FIELDS = "spark.sql.debug.maxToStringFields"


@contextmanager
def _untruncated(spark: SparkSession) -> Iterator[None]:
    """Spark leaves out what is long when it prints a plan."""
    before = spark.conf.get(_FIELDS)
    spark.conf.set(_FIELDS, 2**31 - 1)
    try:
        yield
    finally:
        spark.conf.set(_FIELDS, str(before))


def _number(column: Any) -> int:
    return int(column.exprId().id())


def _node(plan: Any, source: list[str]) -> tuple[Said, Columns]:
    kind = node_name(plan)
    if kind == "LocalRelation" and [column.name() for column in members(plan.output())] == source:
        own = {_number(column): (column.name(),) for column in members(plan.output())}
        return Said("source"), {
            number: Said(quote(path[0]), frozenset([path]), path=path) for number, path in own.items()
        }
    below = [_node(child, source) for child in members(plan.children())]
    columns = {number: said for _, some in below for number, said in some.items()}
    if kind in ("SubqueryAlias", "View"):
        return below[0][0], columns
    if kind == "Project":
        return below[0][0], columns | _projected(plan, columns, source)
    if kind == "Filter":
        condition = _expression(plan.condition(), columns, source)
        return _joined(f"{below[0][0].text}\nwhere {condition.text}", [below[0][0], condition]), columns
    if kind == "Generate":
        return _generated(plan, below[0][0], columns, source)
    if kind == "Union":
        return _united(plan, below)
    return _other(plan, [rows for rows, _ in below], columns)


def _projected(plan: Any, columns: Columns, source: list[str]) -> Columns:
    made = {}
    for column in members(plan.projectList()):
        if node_name(column) == "Alias":
            made[_number(column)] = _expression(column.child(), columns, source).named()
    return made


def _generated(plan: Any, rows: Said, columns: Columns, source: list[str]) -> tuple[Said, Columns]:
    generator = _expression(plan.generator(), columns, source)
    made = _joined(f"{rows.text}\nfor each {generator.text}, or none: {plan.outer()}", [rows, generator])
    new = {
        _number(column): _joined(f"{place} of {made.text}", [generator]).named()
        for place, column in enumerate(members(plan.generatorOutput()))
    }
    return made, columns | new


def _united(plan: Any, below: list[tuple[Said, Columns]]) -> tuple[Said, Columns]:
    """Rows of several, whose columns belong together by their places."""
    rows = _joined("\nand ".join(f"({rows.text})" for rows, _ in below), [rows for rows, _ in below])
    places = zip(members(plan.output()), *(members(child.output()) for child in members(plan.children())), strict=True)
    columns = {}
    for column, *parts in places:
        said = [some[_number(part)] for part, (_, some) in zip(parts, below, strict=True)]
        columns[_number(column)] = _joined(" and ".join(one.text for one in said), said).named()
    return rows, columns


def _other(plan: Any, rows: list[Said], columns: Columns) -> tuple[Said, Columns]:
    """As Spark prints it; all of its columns may depend on all that is below it."""
    new: dict[str, int] = {}

    def told(number: re.Match[str]) -> str:
        known = columns.get(int(number[1]))
        return f"#{known.text}" if known else f"#{new.setdefault(number[1], len(new))}"

    text = re.sub(r"#(\d+)L?", told, str(plan.simpleString(2**31 - 1)))
    parts = [*rows, *columns.values()]
    made = _joined("\n".join([text, *(f"over {one.text}" for one in rows)]), parts)
    given = {
        _number(column): columns.get(_number(column)) or _joined(f"{place} of {made.text}", parts).named()
        for place, column in enumerate(members(plan.output()))
    }
    return made, given


_BY_TYPE = ("XxHash64", "Murmur3Hash", "TypeOf", "ShiftRightUnsigned")
"""What they make of 1 depends on its type."""
_SEEDED = ("Rand", "Randn", "Uuid", "Shuffle", "RandStr", "Uniform")
_SUBQUERIES = ("ScalarSubquery", "ListQuery", "Exists", "LateralSubquery")


def _expression(expression: Any, columns: Columns, source: list[str]) -> Said:
    """As Spark prints it, with what its columns come of in their place."""
    found: list[tuple[str, str]] = []
    parts: list[Said] = []
    variables: dict[int, int] = {}

    def visit(node: Any, by_type: bool) -> None:
        known, kind = _column(node, columns), node_name(node)
        if known:
            found.append((str(node.toString()), known.text))
            parts.append(Said("", known.uses, known.uses if by_type else known.by_type))
            return
        if kind == "NamedLambdaVariable":  # Spark counts them up, however often they are made
            found.append((str(node.toString()), f"variable {variables.setdefault(_number(node), len(variables))}"))
        if kind in _SUBQUERIES:
            rows, some = _node(node.plan(), source)
            given = [some[_number(column)] for column in members(node.plan().output())]
            found.append((str(node.toString()), f"{kind} ({rows.text}: {', '.join(one.text for one in given)})"))
            parts.extend([rows, *given])
        if kind in _SEEDED:
            found.append((str(node.toString()), str(node.withNewSeed(0).toString())))
        if kind.startswith("Python"):
            found.append((str(node.toString()), re.sub(r"#\d+L?$", "", str(node.toString()))))
        binary = kind == "Cast" and node.dataType().simpleString() == "binary"
        for child in members(node.children()):
            visit(child, by_type or binary or kind in _BY_TYPE)

    known = _column(expression, columns)
    if known:
        return known
    visit(expression, False)
    text = str(expression.toString())
    for printed, said in sorted(set(found), key=lambda pair: -len(pair[0])):
        text = re.sub(re.escape(printed) + r"(?!\d)", lambda _, said=said: said, text)  # type: ignore[misc]
    return _joined(text, parts)


def _column(node: Any, columns: Columns) -> Said | None:
    """What is known of a column, or of a field of a column of the source; None if `node` is something else."""
    kind = node_name(node)
    if kind == "AttributeReference":
        return columns.get(_number(node))
    if kind != "GetStructField":
        return None
    of = _column(node.child(), columns)
    if of is None or of.path is None:
        return None
    path = (*of.path, str(node.extractFieldName()))
    return Said(f"{of.text}.{quote(path[-1])}", frozenset([path]), path=path)
